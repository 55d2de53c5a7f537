"""What databases' clients do: one row or more a program."""

from __future__ import annotations

HIGH = [
    ("psql -c 'DROP DATABASE x'", "shell.database.destroy"),
    ("psql -c \"COPY t FROM PROGRAM 'id'\"", "shell.database.destroy"),
    ("psql -c '\\! id'", "shell.escape.option"),
    ("mysql -e 'DROP TABLE x' db", "shell.database.destroy"),
    ("mysql -e '\\! sh'", "shell.escape.option"),
    ("mysql -e \"select 1 into outfile '/var/www/x.php'\"", "shell.database.destroy"),
    ("sqlite3 /dev/null '.shell id'", "shell.escape.option"),
    ("sqlite3 x \"select load_extension('/tmp/x')\"", "shell.escape.option"),
    ("redis-cli FLUSHALL", "shell.database.destroy"),
    ("redis-cli -h x CONFIG SET dir /root/.ssh", "shell.database.redis_config"),
    ("redis-cli slaveof 1.2.3.4 6379", "shell.database.redis_control"),
    ("redis-cli module load /tmp/x.so", "shell.database.redis_control"),
    ("mongosh --eval 'db.dropDatabase()'", "shell.database.destroy"),
    ("mongo x --eval 'db.users.drop()'", "shell.database.destroy"),
    ("dropdb x", "shell.database.admin"),
    ("mysqladmin shutdown", "shell.database.admin"),
    ("mysqldump --all-databases", "shell.database.dump_all"),
    ("pg_restore --clean -d x y", "shell.database.destroy"),
    ("rabbitmqctl delete_user x", "shell.database.destroy"),
    ("sqlite3 x '.output /etc/cron.d/x'", "shell.write.system"),
    ("redis-server --protected-mode no", "shell.database.open"),
    ("nosqlmap", "shell.database.attack"),
    ("sqlcmd -Q \"exec xp_cmdshell 'id'\"", "shell.database.destroy"),
    ("wp db reset --yes", "shell.database.destroy"),
    ("drush sql:drop -y", "shell.database.destroy"),
    ("php artisan migrate:fresh --force --env=production", "shell.database.destroy"),
]
MEDIUM = [
    "psql -c 'select 1'",
    "sqlite3 db.sqlite3 'select 1'",
    "mysql -e 'show tables' db",
    "redis-cli set x 1",
    "pg_dump db -f x.sql",
    "createdb x",
    "wp cache flush",
    "php artisan migrate:fresh --env=testing",
]
LOW = [
    "sqlite3 db.sqlite3 'PRAGMA table_info(x)'",
    "redis-cli get x",
    "redis-cli ping",
]

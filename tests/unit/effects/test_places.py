"""Where paths and addresses lead."""

from __future__ import annotations

import pytest

from guardtier.analyzers.effects.hosts import host_of
from guardtier.analyzers.effects.targets import normal, place_of

PLACES = [
    ("a.py", "workspace"),
    ("./src/../a.py", "workspace"),
    ("*", "workspace"),
    ("", "workspace"),
    ("/testbed/x", "workspace"),
    ("../sibling/x", "workspace"),
    (".env", "secrets"),
    ("certs/site.pfx", "secrets"),
    ("/srv/site.pfx", "credentials"),
    ("/var/tmp/.../x", "concealed"),
    ("./...", "workspace"),
    ("\x00/release_agent", "kernel"),
    ("~/.config/pip/pip.conf", "trust"),
    (".git", "repository"),
    (".git/hooks/pre-commit", "autorun"),
    ("/tmp/x", "temp"),
    ("/private/tmp/x", "temp"),
    ("~/.cache/pip", "temp"),
    ("/dev/null", "nothing"),
    ("/dev/sda1", "device"),
    ("/", "root"),
    ("/*", "root"),
    ("//", "root"),
    ("/etc/..", "root"),
    ("~", "home"),
    ("~/*", "home"),
    ("/home/bob/", "home"),
    ("/root", "home"),
    ("~/project/x", "homework"),
    ("~/Documents/x", "personal"),
    ("~/.config/foo", "settings"),
    ("~/.bashrc", "autorun"),
    ("C:\\Windows\\System32\\drivers\\etc\\hosts", "system"),
    ("d:/Program Files (x86)/x/a.dll", "other"),
    ("c:/Program Files (x86)/x/a.dll", "system"),
    ("C:\\Users\\bob\\Documents\\a.txt", "personal"),
    ("C:/Users/bob/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/a.lnk", "autorun"),
    ("C:\\Windows\\System32\\config\\SAM", "credentials"),
    ("C:\\Windows\\System32\\winevt\\Logs\\Security.evtx", "logs"),
    ("/Users/ann/.zshrc", "autorun"),
    ("~bob/.ssh/id_rsa", "credentials"),
    ("/home/*/.ssh/id_rsa", "credentials"),
    ("backup/id_rsa", "credentials"),
    ("~/.ssh/id_rsa.pub", "public"),
    ("~/.ssh/authorized_keys", "auth"),
    ("/etc/shadow", "credentials"),
    ("/usr/../etc//./shadow", "credentials"),
    ("../../../../etc/shadow", "credentials"),
    ("~/../../etc/shadow", "credentials"),
    ("/proc/1/root/etc/shadow", "credentials"),
    ("file:///etc/shadow", "credentials"),
    ("/etc/passwd", "accounts"),
    ("/etc/nginx/nginx.conf", "system"),
    ("/usr/lib/python3/dist-packages/x.py", "library"),
    ("/var/log/syslog", "logs"),
    ("~/.bash_history", "history"),
    ("/proc/\x00/mem", "memory"),
    ("/proc/self/environ", "environ"),
    ("/proc/sys/kernel/x", "kernel"),
    ("/var/run/docker.sock", "socket"),
    ("\x00", "unknown"),
    ("\x00/x.txt", "unknown"),
    ("\x00/.ssh/id_rsa", "credentials"),
    ("/srv-own", "toplevel"),
    ("/srv-own/x", "other"),
]


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_a_path_leads_to_its_place(path, place):
    assert place_of(path).name == place


@pytest.mark.parametrize(
    ("path", "cwd", "place"), [("x", "/etc", "system"), (".", "/", "root"), ("a", "~", "homework")]
)
def test_a_relative_path_is_taken_from_the_directory_it_is_used_in(path, cwd, place):
    assert place_of(path, cwd).name == place


@pytest.mark.parametrize(
    "path", ["/" * 9999, "../" * 9999, "a/" * 9999 + ".ssh/id_rsa", "*" * 9999, "\ud800"]
)
def test_no_path_is_too_odd(path):
    assert place_of(path).name
    assert len(normal(path)) <= len(path) + 1


def test_the_end_of_a_path_too_long_to_open_still_counts():
    assert place_of("/x" * 9999 + "/.ssh/id_rsa").name == "credentials"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://169.254.169.254/latest", "metadata"),
        ("http://metadata.google.internal/x", "metadata"),
        ("http://0251.254.169.254/x", "metadata"),
        ("http://0xa9.254.43518/x", "metadata"),
        ("http://2852039166/x", "metadata"),
        ("http://[::ffff:a9fe:a9fe]/x", "metadata"),
        ("http://[fd00:0ec2:0:0::254]/x", "metadata"),
        ("http://127.1:8080", "local"),
        ("http://999.1.2.3/x", "external"),
        ("http://[x]/", "external"),
        ("localhost:8000", "local"),
        ("http://user:pw@127.0.0.1/", "local"),
        ("https://x.example/a?b=localhost", "external"),
        ("http://localhost@x.example/", "external"),
        ("git@github.com:x/y", "external"),
        ("http://abc.onion", "tunnel"),
        ("https://transfer.sh/x", "drop"),
        ("192.168.1.4:80", "private"),
        ("http://\x00/x", "unknown_host"),
    ],
)
def test_an_address_leads_to_its_kind_of_machine(address, place):
    assert host_of(address).name == place

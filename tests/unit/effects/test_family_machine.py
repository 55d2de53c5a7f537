"""What macOS, capture, processes, discovery and tools made to break in do: one row or more a program."""

from __future__ import annotations

import pytest

from rating import rate

HIGH = [
    ("kextload x.kext", "shell.kernel.module"),
    ("open -a Terminal x", "shell.open.control"),
    ("open x.command", "shell.execute.open"),
    ("open smb://1.2.3.4/x", "shell.net.scheme"),
    ("screencapture x.png", "shell.capture.screen"),
    ("import -window root x.png", "shell.capture.screen"),
    ("sox -d x.wav", "shell.capture.sound_and_camera"),
    ("mdutil -i off /", "shell.macos.system"),
    ("usbguard allow-device 1", "shell.system.devices"),
    ("copyq read 0", "shell.capture.clipboard"),
    ("arecord -d 5 x.wav", "shell.capture.sound_and_camera"),
    ("xinput test 3", "shell.capture.keys"),
    ("tcpdump -i eth0", "shell.capture.packets"),
    ("tshark -i any", "shell.capture.packets"),
    ("PlistBuddy -c 'Add :LSEnvironment:X string x' a.plist", "shell.macos.plist_system"),
    ("strace -p 1", "shell.process.attach"),
    ("strace -fp 1234 -o x", "shell.process.attach"),
    ("frida -p 1", "shell.process.inject"),
    ("insmod x.ko", "shell.kernel.module"),
    ("sudo modprobe x", "shell.kernel.module"),
    ("rmmod x", "shell.kernel.module"),
    ("nmap --script vuln 10.0.0.1", "shell.scan.exploit"),
    ("sudo nmap -sS 10.0.0.0/24", "shell.scan.ports"),
    ("masscan 0.0.0.0/0 -p80", "shell.scan.wide"),
    ("gobuster dir -u x", "shell.attack.web"),
    ("sqlmap -u x", "shell.attack.tool"),
    ("xmrig -o pool:1", "shell.mine"),
    ("./xmrig -o pool:1", "shell.mine"),
    ("steghide embed -cf a -ef b", "shell.conceal.steganography"),
    ("dtrace -n x", "shell.process.kernel_trace"),
    ("xhydra", "shell.attack.password"),
    ("det.py -f x", "shell.send.exfiltrate"),
    ("weevely generate x y", "shell.attack.remote_control"),
    ("hydra -l x ssh://y", "shell.credentials.attack_tool"),
]
MEDIUM = [
    "sw_vers",
    "open .",
    "perf record ls",
    "xinput list",
    "tcpdump -r x.pcap",
    "strace ls",
    "lsmod",
    "jmap -dump:file=x 1",
    "uname -a",
    "whoami",
    "id",
    "lsof -i",
    "ss -tlnp",
    "netstat -an",
    "nmap -sV localhost",
    "ldapsearch -x -b dc=x",
    "w",
    "stress --cpu 2 -t 5",
]
LOW = [
    "PlistBuddy -c 'Print' a.plist",
    "uname",
    "uname -m",
    "ps aux",
]


@pytest.mark.parametrize(("command", "finding"), HIGH)
def test_harm_is_high_and_says_why(command, finding):
    risk, found = rate(command)

    assert risk == "HIGH"
    assert finding in {rated.id for rated in found}


@pytest.mark.parametrize("command", MEDIUM)
def test_work_of_the_task_is_medium(command):
    assert rate(command)[0] == "MEDIUM"


@pytest.mark.parametrize("command", LOW)
def test_looking_is_low(command):
    assert rate(command)[0] == "LOW"

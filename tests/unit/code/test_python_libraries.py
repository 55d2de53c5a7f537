"""What libraries do to clouds, databases, Windows, directories and containers; and their honest use."""

from __future__ import annotations

import pytest

from guardtier.risk import SecurityRisk
from rating import rate_python

HARM = [
    # stores and clouds
    ("from shop.models import Cart\nCart.objects.all().delete()", "python.data.destroyed"),
    ("from app import db, Cart\ndb.drop_all()", "python.data.destroyed"),
    ("from app import Cart\nCart.query.delete()", "python.data.destroyed"),
    (
        "import sqlalchemy as sa\nfrom m import Cart, session\nsession.query(Cart).delete()",
        "python.data.destroyed",
    ),
    (
        "from sqlalchemy import create_engine, MetaData\ne = create_engine('postgresql://db/x')\n"
        "m = MetaData()\nm.reflect(e)\nm.drop_all(e)",
        "python.data.destroyed",
    ),
    (
        "from opensearchpy import OpenSearch\nOpenSearch('https://x').indices.delete('logs-*')",
        "python.data.destroyed",
    ),
    (
        "from django.core.management import call_command\ncall_command('flush', '--noinput')",
        "python.data.destroyed",
    ),
    ("from pymongo import MongoClient\nMongoClient()['shop']['carts'].drop()", "python.data.destroyed"),
    (
        "import boto3\nfor one in boto3.resource('dynamodb').tables.all():\n    one.delete()",
        "python.data.destroyed",
    ),
    ("import boto3\nboto3.resource('ec2').Instance('i-1').terminate()", "python.data.destroyed"),
    (
        "import boto3\nc = boto3.client('logs')\nc.delete_log_group(logGroupName='a')",
        "python.cloud.logging_off",
    ),
    (
        "import boto3\nboto3.client('iam').put_role_policy(RoleName='a', PolicyDocument='{}')",
        "python.cloud.access",
    ),
    (
        "import boto3\nboto3.client('ssm').send_command(InstanceIds=['i'], DocumentName='x')",
        "python.cloud.remote",
    ),
    (
        "from google.cloud import storage\nc = storage.Client()\nc.get_bucket('a').delete(force=True)",
        "python.data.destroyed",
    ),
    (
        "from azure.storage.blob import BlobServiceClient\nc = BlobServiceClient('x')\n"
        "c.delete_container('a')",
        "python.data.destroyed",
    ),
    (
        "from azure.keyvault.secrets import SecretClient\n"
        "print(SecretClient('x', 'y').get_secret('db').value)",
        "python.credentials.store",
    ),
    (
        "from github import Github\nfor one in Github('t').get_organization('o').get_repos():\n"
        "    one.delete()",
        "python.data.destroyed",
    ),
    (
        "import httpx\nfor one in httpx.get('https://api.x.example/users').json():\n"
        "    httpx.delete(f'https://api.x.example/users/{one}')",
        "python.network.delete_all",
    ),
    (
        "from neo4j import GraphDatabase\nwith GraphDatabase.driver('bolt://g').session() as s:\n"
        "    s.run('MATCH (x) DETACH DELETE x')",
        "python.data.destroyed",
    ),
    ("import redis\nredis.Redis('cache').execute_command('FLUSHALL')", "python.data.destroyed"),
    ("import openstack\nopenstack.connect().compute.delete_server('a')", "python.data.destroyed"),
    ("import libvirt\nlibvirt.open(None).lookupByName('a').undefine()", "python.data.destroyed"),
    ("from minio import Minio\nMinio('x').remove_bucket('a')", "python.data.destroyed"),
    (
        "from hdfs import InsecureClient\nInsecureClient('x').delete('/a', recursive=True)",
        "python.data.destroyed",
    ),
    ("from firebase_admin import auth\nauth.delete_user('a')", "python.data.destroyed"),
    (
        "from pyspark.sql import SparkSession as S\n"
        "S.builder.getOrCreate().sql('DROP DATABASE shop CASCADE')",
        "sql.drop.database",
    ),
    (
        "import hvac\nprint(hvac.Client().secrets.kv.v2.read_secret_version(path='db'))",
        "python.credentials.store",
    ),
    (
        "import ansible_runner\nansible_runner.run(module='shell', module_args='rm -rf /usr')",
        "shell.delete.system",
    ),
    # accounts, services, the machine
    ("import pyufw\npyufw.disable()", "python.disable.firewall"),
    ("import frida\nfrida.attach(99)", "python.native.injection"),
    ("import ctypes\nctypes.CDLL(None).unlink(b'/etc/fstab')", "python.delete.controls"),
    (
        "import ctypes\nlibc = ctypes.CDLL('libc.so.6')\nlibc.chmod(b'/etc/shadow', 511)",
        "python.permissions.credentials",
    ),
    (
        "from ldap3 import Connection\nc = Connection('dc')\nc.modify('cn=x', {'member': []})",
        "python.accounts.directory",
    ),
    ("import win32net\nwin32net.NetUserAdd(None, 1, {'name': 'x'})", "python.accounts.windows"),
    (
        "import win32evtlog as w\nw.ClearEventLog(w.OpenEventLog(None, 'System'), None)",
        "python.windows.logs",
    ),
    ("import win32serviceutil\nwin32serviceutil.StopService('WinDefend')", "python.windows.services"),
    (
        "import ctypes\nctypes.windll.shell32.ShellExecuteW(None, 'runas', 'a.exe', '', None, 1)",
        "python.privilege.elevation",
    ),
    ("import ctypes\nprint(ctypes.windll.user32.GetAsyncKeyState(65))", "python.capture.keys"),
    (
        "import dbus\nm = dbus.Interface(dbus.SystemBus().get_object('a', '/b'), 'c')\n"
        "m.StopUnit('x', 'fail')",
        "python.persist.service",
    ),
    (
        "import iptc\nc = iptc.Chain(iptc.Table(iptc.Table.NAT), 'OUTPUT')\nc.flush()",
        "python.disable.firewall",
    ),
    (
        "import nftables\nn = nftables.Nftables()\nn.cmd('flush ruleset')",
        "shell.disable.firewall",
    ),
    ("import time\ntime.clock_settime_ns(time.CLOCK_REALTIME, 1)", "python.system.clock"),
    ("import socket\nsocket.sethostname('x')", "python.system.name"),
    # containers
    (
        "import docker\ndocker.from_env().containers.run('a', 'ls', volumes={'/': {'bind': '/m'}})",
        "python.container.escape",
    ),
    (
        "import docker\ndocker.from_env().containers.run('a', 'ls', volumes=['/:/m:rw'])",
        "python.container.escape",
    ),
    ("import docker\nd = docker.from_env()\nd.volumes.prune()", "python.container.destroyed"),
    # git and installers
    ("from git import Repo\nRepo('.').git.push('origin', 'main', force=True)", "shell.git.force_push"),
    (
        "import git\nr = git.Repo('.')\nfor remote in r.remotes:\n    remote.push(force=True)",
        "shell.git.force_push",
    ),
    ("import pip\npip.main(['install', 'http://x.example/a.zip'])", "shell.install.unencrypted"),
    ("from plumbum.cmd import rm\nrm('-rf', '/usr')", "shell.delete.system"),
]


@pytest.mark.parametrize(("code", "finding"), HARM)
def test_harm_by_libraries_is_high(code: str, finding: str) -> None:
    found = {one.id: one.risk for one in rate_python(code).findings}
    assert found.get(finding) is SecurityRisk.HIGH, found


HONEST = [
    "from sqlalchemy import delete\nfrom m import Cart, s\ns.execute(delete(Cart).where(Cart.id == 1))",
    "import requests, time\ndef look():\n    return requests.get('https://x.example').status_code\n"
    "while True:\n    print(look())\n    time.sleep(60)",
    "import requests, time\ndef look():\n    time.sleep(60)\n"
    "    return requests.get('https://x.example').ok\n"
    "while True:\n    print(look())",
    "import zipfile\nfor name in ['a.zip', 'b.zip']:\n    zipfile.ZipFile(name).extractall('out')",
    "import docker\nfor one in docker.from_env().containers.list(all=True):\n    one.stop()",
    "class Box:\n    def run_cmd(self, line):\n        return line\nBox().run_cmd('ls')",
    "import tkinter as tk\nroot = tk.Tk()\nprint(root.clipboard_get())",
    "import click\ndef check(ctx, param, value):\n    return value\n@click.command()\n"
    "@click.option('--name', callback=check)\ndef main(name):\n    print(name)",
    "from django.db import models\nclass A(models.Model):\n    pass\nA.objects.all().delete()",
    "from django.conf import settings\n"
    "settings.configure(DEBUG=True, DATABASES={'default': {'NAME': ':memory:'}})\n"
    "from shop.models import Cart\nCart.objects.all().delete()",
    "from shop.models import Cart\ndef test_cart():\n    Cart.objects.all().delete()",
    "from sqlalchemy import create_engine\nfrom m import Base\ne = create_engine('sqlite://')\n"
    "Base.metadata.create_all(e)\nBase.metadata.drop_all(e)",
    "import sqlite3\nc = sqlite3.connect(':memory:')\nc.executescript(open('schema.sql').read())\n"
    "c.execute('DELETE FROM carts')",
    "import cv2\nv = cv2.VideoCapture('clip.mp4')\nprint(v.read())",
    "import socket\nfor port in range(8000, 8100):\n    s = socket.socket()\n"
    "    if s.connect_ex(('127.0.0.1', port)):\n        print(port)",
    "import requests\nfor one in range(9):\n    requests.delete(f'http://localhost:8000/items/{one}')",
    "import threading, queue\nq = queue.Queue()\ndef work():\n    while True:\n        print(q.get())\n"
    "for _ in range(4):\n    threading.Thread(target=work, daemon=True).start()",
    "from multiprocessing import Pool\ndef square(x):\n    return x * x\n"
    "print(Pool(4).map(square, range(9)))",
    "import subprocess, click\n@click.command()\n@click.argument('name')\ndef main(name):\n"
    "    subprocess.run(['ls', name])\nmain()",
    "import http.server\nhttp.server.HTTPServer(('127.0.0.1', 80), http.server.SimpleHTTPRequestHandler)",
    "import docker\n"
    "print(docker.from_env().containers.run('alpine', 'ls', volumes={'data': {'bind': '/d'}}))",
    "import git\nr = git.Repo('.')\nr.git.add('a.py')\nr.git.commit('-m', 'x')\nprint(r.git.status())",
    "import asyncio\nasync def go(q):\n    while True:\n        item = await q.get()\n        print(item)",
    "from flask import Flask, jsonify\napp = Flask('a')\n@app.route('/x/<name>')\ndef x(name):\n"
    "    return jsonify(name=name, file=open('a.txt').read())",
    "import os, sys\nos.execv(sys.executable, [sys.executable, *sys.argv])",
]


@pytest.mark.parametrize("code", HONEST)
def test_honest_use_is_not_high(code: str) -> None:
    found = rate_python(code)
    assert found.risk not in (SecurityRisk.HIGH, SecurityRisk.UNKNOWN), found.findings

"""What Python changes for its task is MEDIUM, and what only reads or computes is LOW."""

from __future__ import annotations

import pytest

from guardtier.risk import SecurityRisk
from rating import rate_python

MODERATE = [
    ("open('out.txt', 'w').write('x')", "python.write.workspace"),
    ("import os\nos.remove('build/x.o')", None),
    ("import shutil\nshutil.rmtree('/tmp/build')", None),
    ("from pathlib import Path\nPath('src/a.py').write_text('x')", None),
    ("print(open('/etc/passwd').read())", "python.read.accounts"),
    ("import subprocess\nsubprocess.run(['pytest', '-q'])", "python.run.command"),
    ("import requests\nprint(requests.get('https://pypi.org').status_code)", "python.network.fetch"),
    ("import requests\nrequests.post('https://api.example/v1', json={'a': 1})", "python.network.send"),
    ("import pickle\npickle.load(open('model.pkl', 'rb'))", "python.deserialise"),
    ("import yaml\nyaml.load(s)", "python.deserialise"),
    ("eval(x)", "python.run.code"),
    ("import os\nprint(os.environ)", "python.environment.shown"),
    ("import os\nfor k, v in os.environ.items():\n    print(k, v)", "python.environment.shown"),
    ("import os\nfor r, d, f in os.walk('/'):\n    print(f)", "python.discover.root"),
    ("import psutil\nprint([p.name() for p in psutil.process_iter()])", "python.discover.accounts"),
    ("import http.server\nhttp.server.HTTPServer(('', 8000), H).serve_forever()", "python.network.listen"),
    (
        "import sqlite3\nc = sqlite3.connect('a.db')\nc.execute('CREATE TABLE t (a)')\nc.execute('DROP TABLE t')",  # noqa: E501
        "sql.own",
    ),
    (
        "import requests, os\nrequests.post('http://localhost:8000', json=dict(os.environ))",
        "python.network.local",
    ),
    (
        "import requests, os\nrequests.get(os.environ['API_URL'], headers={'x': os.getenv('TOKEN')})",
        "python.network.fetch",
    ),
    ("import pandas as pd\npd.read_csv('a.csv').to_csv('b.csv')", "python.write.workspace"),
    ("import numpy as np\nnp.save('x.npy', a)", "python.write.workspace"),
    ("import webbrowser\nwebbrowser.open('https://x.example')", "python.network.browse"),
    (
        "import requests, time\nwhile True:\n    requests.get('http://x.example')\n    time.sleep(1)",
        "python.network.fetch",
    ),
    (
        "import os\nfor r, d, fs in os.walk('.'):\n    for f in fs:\n        os.remove(os.path.join(r, f))",
        "python.delete.unknown",
    ),
    ("import requests\nrequests.post('http://127.0.0.1:8000/x', json={})", "python.network.local"),
]

HARMLESS = [
    "while True:\n    line = f.readline()\n    if not line:\n        break\n    out.append(line)",
    "import time\nwhile True:\n    seen.append(1)\n    time.sleep(1)",
    "x = [0] * 10 ** 6",
    "import os\nfor r, d, f in os.walk('src'):\n    print(f)",
    "print('rm -rf /')",
    "import os\nprint(os.listdir('.'))",
    "import os\nprint(os.getcwd(), os.path.exists('/etc/passwd'))",
    "print(open('README.md').read())",
    "import re\nre.compile('x').search('os.system')",
    "# os.system('rm -rf /')\nprint(1)",
    "'''os.system('rm -rf /')'''\nx = 1",
    "msg = 'never run os.remove(\"/etc/passwd\")'\nprint(msg)",
    "import json\nprint(json.dumps({'exec': 1, 'system': 2}))",
    "x = [1, 2]\nx.remove(1)\nx.append(3)\ndel x[0]",
    "model.eval()\ndf.eval('a + b')",
    "import yaml\nyaml.safe_load(s)",
    "import yaml\nyaml.load(s, Loader=yaml.SafeLoader)",
    "cur.execute('SELECT * FROM t WHERE id = ?', (1,))",
    "class P:\n    def system(self, x): ...\nP().system('rm -rf /')",
    "import numpy as np\nnp.random.seed(0)\nprint(np.arange(3).copy())",
    "getattr(obj, 'name', None)",
    "for name in dir(obj):\n    print(getattr(obj, name))",
    "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'x')\nimport django\ndjango.setup()",
    "def f(path):\n    return path.replace('/etc', '')\nprint(f('/etc/passwd'))",
    "# -*- coding: utf-8 -*-\nprint(1)",
    "# coding: latin-1\nprint(1)",
    "print(1)\nx = 2\n# encoding: utf-7\n",
    "# Decoding: what utf-16 comes to\nprint(1)",
    "print(1 +",
][:-1]


@pytest.mark.parametrize(("code", "rule"), MODERATE)
def test_changes_of_the_task_are_medium(code: str, rule: str | None) -> None:
    found = rate_python(code)

    assert found.risk is SecurityRisk.MEDIUM, found
    assert rule is None or rule in [finding.id for finding in found.findings]


@pytest.mark.parametrize("code", HARMLESS)
def test_what_only_reads_or_computes_is_low(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.LOW

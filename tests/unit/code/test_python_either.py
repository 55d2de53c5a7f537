"""A name that may be several things is the one that can do most harm, whatever stands beside it."""

from __future__ import annotations

import pytest

from guardtier.risk import SecurityRisk
from rating import rate_python

HARMFUL = [
    "import json, os\nm = json if x else os\nm.system('rm -rf /')",
    "import json, os\nm = x and json or os\nm.system('rm -rf /')",
    "import json as s\nimport shutil as s\ns.rmtree('/')",
    "import shutil as s\nimport json as s\ns.rmtree('/')",
    "try:\n    import fast as s\nexcept ImportError:\n    import shutil as s\ns.rmtree('/')",
    "from json import dumps as f\nfrom os import system as f\nf('rm -rf /')",
    "import shutil, os\nfor f in (os.getcwd, shutil.rmtree):\n    f('/')",
    "import shutil, os\ndone = {'where': os.getcwd, 'wipe': shutil.rmtree}\ndone['wipe']('/')",
    "import shutil, os\ndone = {'where': os.getcwd, 'wipe': shutil.rmtree}\ndone[what]('/')",
    "import shutil\njob = {'run': shutil.rmtree, 'on': '/home'}\njob['run'](job['on'])",
    "import shutil, os\ndone = [os.getcwd, shutil.rmtree]\ndone[1]('/')",
    "import shutil, os\n_, wipe = os.getcwd, shutil.rmtree\nwipe('/')",
    "import os, shutil\ndef f(x):\n  if x:\n    return os.getcwd\n  return shutil.rmtree\nf(0)('/')",
    "import os\nfor name in ['getcwd', 'remove']:\n    getattr(os, name)('/etc/passwd')",
    "import os\nps = ['a.txt', '/etc/passwd']\nfor i in range(2):\n    os.remove(ps[i])",
    "import os\nps = ['a.txt', '/etc/passwd']\ni = 0\nwhile i < 2:\n    os.remove(ps[i])\n    i += 1",
    "import os\nps = ['a.txt', '/etc/passwd']\nos.remove(ps[k])",
    "import os\nps = ['a.txt', '/etc/passwd']\nwhile ps:\n    os.remove(ps.pop())",
    "class A: pass\nfrom shop.models import A\nA.objects.all().delete()",
    "x.execute = 1\ne = c.execute\ne('DROP TABLE users')",
    "p = ''\nimport os.path as p\np.__dict__['o' + 's'].system('rm -rf /')",
]

HONEST = [
    "import json, shutil\nload = {'json': json.loads, 'copy': shutil.copy}\nload['json']('{}')",
    "try:\n    import simplejson as json\nexcept ImportError:\n    import json\nprint(json.dumps({}))",
    "import os\nfor f in (os.getcwd, os.cpu_count):\n    print(f())",
    "job = {'run': print, 'on': 'src'}\njob['run'](job['on'])",
]


@pytest.mark.parametrize("code", HARMFUL)
def test_the_most_harmful_counts(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.HIGH


@pytest.mark.parametrize("code", HONEST)
def test_what_does_none_is_none(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.LOW

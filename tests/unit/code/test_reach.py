"""What is not parsed is no place to hide in: words that are there, and a way to them that is not plain."""

from __future__ import annotations

import pytest

from guardtier.analyzers.code.prefilter import prefilter

REACHED = [
    "open('x.py','w').write(\"import os;\\nos.system('rm -rf /')\")",
    "import os\ndef f(m, n): getattr(m, n)('rm -rf /')\nf(os, 'sys' + 'tem')",
    "import os\nm = os if 1 else 0\nm.system('rm -rf /')",
    "import os\nm = os\nos.getcwd()\nm.system('rm -rf /')",
    "import pkgutil\npkgutil.resolve_name('os:system')('rm -rf /')",
    "import os as o, subprocess\no.system('rm -rf /')",
    "from os import (\n  system)\nsystem('rm -rf /')",
    "from os import \\\n  system\nsystem('rm -rf /')",
    "import shutil\nshutil.os.system('rm -rf /')",
    "import os\nos . system('rm -rf /')",
    "import os\n(os # requests\n .system)('rm -rf /')",
    "import os\nprint(os.getcwd())\nos.path.os.system('rm -rf /')",
    "import os\np = os.path\ngetattr(p.os, 'sys'+'tem')('rm -rf /')",
    "import os\n\uff4fs.system('rm -rf /')",
    "import subprocess\nlambda "
    + " " * 90
    + "subprocess: 1\nx = subprocess\nx.run('rm -rf /', shell=True)",
    "import requests\ng = requests.get\ng('http://169.254.169.254/')",
    'c.execute("DROP " "TABLE users")',
    'c.execute("SELECT 1"); c.execute(q := "DROP TABLE users")',
    'e = c.execute\ne("DROP TABLE users")',
    'c.execute("""DROP TABLE users""")',
    "c.execute('\\x44ROP TABLE users')",
    "c. execute('DROP TABLE users')",
    "c.\\\nexecute('DROP TABLE users')",
    "def execute(q): c.execute(q)\nexecute('DROP TABLE users')",
    'c.execute("SELECT 1" + "; DROP TABLE users")',
    "f = lambda execute: execute('DROP TABLE users')\nf(c.execute)",
    "import os\n\uff47etattr(os, 'sys' + 'tem')('rm -rf ~')",
    "import sys\nsys.\uff4dodules['o' + 's'].system('rm -rf ~')",
    "import os\nsend(dict(os.\uff45nviron))",
    "import os, random\nprint(os.getcwd())\ngetattr(random, '_o' + 's').system('rm -rf ~')",
    "import os, random as r\nprint(os.getcwd())\nx = r\ngetattr(x, '_o' + 's').system('rm -rf ~')",
    "import os\nfrom json import (decoder)\nos.getcwd()\nf(decoder)\ndef f(m): getattr(m, n)('id')",
    '# c.execute("""\nc.execute("DROP TABLE users")\n# """)',
    # of what the attribute is read, nobody can tell by the words: also of a cursor
    "import os, sys\ndef f(obj, name): return getattr(obj, name)\nprint(os.getcwd(), f(1, 'real'))",
    "import os\nprint(os.getcwd())\ngetattr(cur, 'exe' + 'cute')('drop table users')",
    # the method of what is called so, by any way
    "b.objects.delete()",
    "o = b.objects\no.delete()",
    "b.objects(name='x').delete()",
    "b.objects \\\n.delete()",
    "getattr(b, 'objects').delete()",
    "b._objects.delete()",
    "from shop.models import Order\nOrder.objects.all().delete()",
    "from shop.models import Order\nOrder.objects.all()._raw_delete(None)",
    "class A(Model): pass\nA.objects.all().delete()\nB.objects.all().delete()",
    "class A: pass\nfrom shop.models import (\n    A)\nA.objects.all().delete()",
    "class A(Model): pass\nrows = A.objects.all()\nrows.delete()",
    "class A(Model): pass\ng = A.objects.all\ng().delete()",
    "x = Order.objects.all(); x.delete()",
    "for q in (Order.objects.all(), 1): q.delete()",
    # a name that a test replaces, and one that it only seems to
    "from unittest.mock import patch\nimport os\nwith patch('os.getcwd'): os.system('id')",
    "from unittest.mock import _importer as patch\npatch('os.system')('rm -rf /')",
    "from django.utils.module_loading import import_string as patch\npatch('os.system')('rm -rf /')",
    "from unittest import mock\nfrom x import (\n patch\n)\npatch('os.system')('rm -rf /')",
    "from unittest import mock\ndef patch(n): return find(n)\npatch('os.system')('rm -rf /')",
    "from unittest import mock\nmock.patch = find\nmock.patch('os.system')('rm -rf /')",
    "from unittest import mock\nx.patch('os.system')('rm -rf /')",
    # no comment, though there is one before it
    "# os.system\nimport os\nos.system('rm -rf /')",
    "x = '#'; import os; m = os; m.system('rm -rf /')",
    "e = c.execute.__call__\ne('DROP TABLE users')",
    "c.execute == 1; e = c.execute; e('DROP TABLE users')",
    "import sys\nm = sys.modules[__name__ + 'x']\nm.system('rm -rf /')",
    "import sys\nx = sys.modules['o' + 's'] == 1 or sys.modules['o' + 's']\nx.system('rm -rf /')",
    # a path that is put together
    "open('/' + 'etc' + '/' + 'passwd', 'w')",
    "open('/'.join(['', 'etc', 'passwd']), 'w')",
    "open('x.etc.passwd'.replace('.', '/')[1:], 'w')",
    "for p in '/':\n    open(p + 'etc/passwd', 'w')",
    "import os\nos.chdir('..')\nopen('x', 'w')",
    "import os\nfor d in os.walk('..'): open('x', 'w')",
    "class A:\n    def find(self, p): open(p + 'etc/passwd', 'w')\nA().find('/')",
]

NOT_REACHED = [
    "import requests\nprint(requests.Request('GET', 'http://x.example/get').headers.get('a'))",
    "import requests, sys\nfrom requests.exceptions import HTTPError\nprint({}.get(1))",
    "# how a server would run, without a subprocess of its own\ndef run(x): return x\nrun(1)",
    'c.execute(\'SELECT a FROM b WHERE c = ?\', (1,))\nc.execute("""SELECT 1""")',
    "with c.execute_wrapper(lambda execute, sql: print(sql) or execute(sql)): pass",
    "print('to delete')\nJob.objects.create(a=1)\nJob.objects.filter(a=1).delete()\n# delete the objects\n",
    "class A(models.Model):\n    pass\nA.objects.all().delete()\nprint(A.objects.all().count())",
    "for a in A.objects.all():\n    a.name = 'x'\n    a.save()\nprint('delete')",
    "from unittest import mock\nimport requests\nwith mock.patch('requests.get', new=f) as m: m.args",
    "from unittest.mock import Mock, patch\n@patch('subprocess.run')\ndef test(run): run.return_value = 1",
    "import subprocess\n# Mock subprocess.run to see what is passed\nprint('a subprocess ran')",
    "from unittest.mock import patch\nwith patch('app.loader.import_module', side_effect=f): load()",
    "c.execute = Mock()\nprint([call[0] for call in c.execute.call_args_list])",
    "import sys\napps['x'] = Config('x', sys.modules[__name__])\nsys.modules[f'{x}.models'] = module",
    "text = 'finds python modules and packages'\nimport sys, os\nos.getcwd()",
    "lines.append('if getattr(rows[i][j], \\'size\\', 0): pass')",
    "if p.startswith(('.', '~')) or p == '.' or '/' in p: open('x').read(); q = p.split('.')[-1]",
]


@pytest.mark.parametrize("code", REACHED)
def test_what_may_be_reached_is_parsed(code: str) -> None:
    assert prefilter().look(code).parse


@pytest.mark.parametrize("code", NOT_REACHED)
def test_what_only_has_the_words_is_not(code: str) -> None:
    assert not prefilter().look(code).parse

"""Paths and commands that go through everyday structures: no less harmful than where they stand alone."""

from __future__ import annotations

import pytest

from guardtier.risk import SecurityRisk
from rating import rate_python

PLACE = "/etc/fstab"


#: Each has a path of the system's in it once, and deletes or overwrites what stands there.
STRUCTURES = [
    # dictionaries
    "import os\nfor name, victim in {'table': '/etc/fstab'}.items():\n    os.unlink(victim)",
    "import os\nfor victim in {'/etc/fstab': 1}:\n    os.unlink(victim)",
    "for where, text in {'/etc/fstab': 'none'}.items():\n    open(where, 'w').write(text)",
    "import os\nconf = {'a': {'file': '/etc/fstab'}}\nos.unlink(conf['a'].get('file', 'x'))",
    "import os\nconf = dict(file='/etc/fstab')\nos.unlink(conf['file'])",
    "import os\nconf = {}\nconf['file'] = '/etc/fstab'\nos.unlink(conf['file'])",
    "import os, json\nos.unlink(json.loads('{\"files\": [\"/etc/fstab\"]}')['files'][0])",
    "def put(path, text):\n    open(path, 'w').write(text)\n"
    "opts = {'path': '/etc/fstab', 'text': ''}\nput(**opts)",
    "opts = dict(file='/etc/fstab', mode='w')\nopen(**opts).write('')",
    # lists that grow, and what goes through them
    "import os\ntodo = []\ntodo.append('/etc/fstab')\nfor one in todo:\n    os.unlink(one)",
    "import os\ntodo = set()\ntodo.update(['a', '/etc/fstab'])\nfor one in todo:\n    os.unlink(one)",
    "import os\nclass Todo:\n    def __init__(self):\n        self.todo = []\n    def put(self):\n"
    "        self.todo.append('/etc/fstab')\n    def do(self):\n        for one in self.todo:\n"
    "            os.unlink(one)\nTodo().do()",
    "import os\nfor at, one in enumerate(['a', '/etc/fstab'], 1):\n    os.unlink(one)",
    "import os\nfor one, why in zip(['/etc/fstab'], ['x']):\n    os.unlink(one)",
    "import os\nfor one in filter(os.path.exists, ['/etc/fstab']):\n    os.unlink(one)",
    "import os, itertools\nfor one in itertools.chain(['a'], ('/etc/fstab',)):\n    os.unlink(one)",
    "from pathlib import Path\nfor one in map(Path, ['/etc/fstab']):\n    one.unlink()",
    "import os\nparts = ('/etc', 'fstab')\nos.unlink(os.path.join(*parts))",
    "from pathlib import Path\nparts = ['/etc', 'fstab']\nPath(*parts).unlink()",
    "import os\n[os.unlink(f'{a}/{b}') for a, b in [('/etc', 'fstab')]]",
    "import os\nall_of = [f'{a}/{b}' for a in ['/etc'] for b in ['hosts', 'fstab']]\n"
    "for one in all_of:\n    os.unlink(one)",
    "import os, random\nos.unlink(random.choice(['a', '/etc/fstab']))",
    "from pathlib import Path\nfor one in sorted(Path('/etc').glob('fstab'), key=str):\n"
    "    (one.rmdir if one.is_dir() else one.unlink)()",
    # what functions give and get
    "import os\ndef todo():\n    yield 'a'\n    yield '/etc/fstab'\nfor one in todo():\n    os.unlink(one)",
    "import os\ndef todo():\n    yield from ['/etc/fstab']\nfor one in todo():\n    os.unlink(one)",
    "import os\ndef drop(*all_of):\n    for one in all_of:\n        os.unlink(one)\n"
    "drop('a', '/etc/fstab')",
    "import os\ndef drop(**named):\n    os.unlink(named['file'])\ndrop(file='/etc/fstab')",
    "import os\nlist(map(lambda one: os.unlink(one), ['/etc/fstab']))",
    "import os\ndef drop(one):\n    os.unlink(one)\nlist(map(drop, ['/etc/fstab']))",
    "import os, threading\ndef drop(one):\n    os.unlink(one)\n"
    "threading.Thread(target=drop, args=('/etc/fstab',)).start()",
    "import os\nfor act, on in [(print, 'a'), (os.unlink, '/etc/fstab')]:\n    act(on)",
    # classes and options
    "import os\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n"
    "    file: str = '/etc/fstab'\nos.unlink(C().file)",
    "import os\nfrom dataclasses import dataclass, field\n@dataclass\nclass C:\n"
    "    files: list = field(default_factory=lambda: ['/etc/fstab'])\nfor one in C().files:\n"
    "    os.unlink(one)",
    "import os\nfrom typing import NamedTuple\nclass C(NamedTuple):\n    name: str\n"
    "    file: str\nfor c in [C('a', '/etc/fstab')]:\n    os.unlink(c.file)",
    "import os\nfrom collections import namedtuple\nC = namedtuple('C', 'name, file')\n"
    "for c in [C('a', '/etc/fstab')]:\n    os.unlink(c.file)",
    "import os\nfrom enum import Enum\nclass C(Enum):\n    A = '/etc/fstab'\nos.unlink(C.A.value)",
    "import os\nfrom enum import StrEnum\nclass C(StrEnum):\n    A = '/etc/fstab'\n"
    "for one in C:\n    os.unlink(one.value)",
    "import os\nclass C:\n    @property\n    def file(self):\n        return '/etc/fstab'\n"
    "os.unlink(C().file)",
    "import os, argparse\np = argparse.ArgumentParser()\n"
    "p.add_argument('-f', '--the-file', default='/etc/fstab')\n"
    "os.unlink(p.parse_args().the_file)",
    "import os, argparse\np = argparse.ArgumentParser()\np.set_defaults(file='/etc/fstab')\n"
    "os.unlink(p.parse_args().file)",
    "import os, click\n@click.command()\n@click.option('-f', '--file', default='/etc/fstab')\n"
    "def main(file):\n    os.unlink(file)\nmain()",
    "import os, typer\ndef main(file: str = typer.Option('/etc/fstab')):\n    os.unlink(file)\n"
    "typer.run(main)",
    "import os\nos.unlink(os.getenv('FILE', '/etc/fstab'))",
    "import os\nos.unlink(os.environ.get('FILE', default='/etc/fstab'))",
]


@pytest.mark.parametrize("code", STRUCTURES)
def test_a_path_is_found_wherever_it_is_kept(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.HIGH


@pytest.mark.parametrize("code", STRUCTURES)
def test_the_same_is_no_harm_in_the_workspace(code: str) -> None:
    inside = code.replace(PLACE, "out/a.txt").replace("'/etc'", "'out'")
    assert rate_python(inside).risk is not SecurityRisk.HIGH


COMMANDS = [
    "import subprocess\nline = ['rm']\nline.append('-rf')\nline.append('/usr')\nsubprocess.run(line)",
    "import subprocess\nline = ['rm']\nline.extend(['-r', '-f', '/usr'])\nsubprocess.run(line)",
    "import subprocess\nrest = ['-rf', '/usr']\nsubprocess.run(['rm', *rest])",
    "import anyio\nanyio.run(anyio.run_process, ['rm', '-rf', '/usr'])",
    "import asyncio\nloop = asyncio.get_event_loop()\n"
    "loop.run_until_complete(loop.subprocess_exec(asyncio.SubprocessProtocol, 'rm', '-rf', '/usr'))",
    "from plumbum import local\nlocal['rm']('-rf', '/usr')",
    "from invoke import Context\nContext().run('rm -rf /usr')",
    "import subprocess\ndef sh(*line):\n    subprocess.run(line)\nsh('rm', '-rf', '/usr')",
    "import subprocess\nSTEPS = {'one': ['rm', '-rf', '/usr']}\n"
    "for name, line in STEPS.items():\n    subprocess.run(line)",
]


@pytest.mark.parametrize("code", COMMANDS)
def test_a_command_is_found_however_it_is_put_together(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.HIGH


@pytest.mark.parametrize(
    "code",
    [
        "import os\nd = os.environ['APPDATA']\n"
        "open(d + '/Microsoft/Windows/Start Menu/Programs/Startup/a.bat', 'w').write('x')",
        "import os, shutil\n"
        "d = os.path.join(os.getenv('APPDATA'), 'Microsoft', 'Windows', 'Start Menu', 'Programs',"
        " 'Startup')\n"
        "shutil.copy('a.exe', d)",
        "import os, shutil\n"
        "shutil.copy(os.path.join(os.environ['LOCALAPPDATA'], 'Google', 'Chrome', 'User Data',"
        " 'Default', 'Login Data'), 'x')",
        "import os, shutil\nshutil.rmtree(os.environ['SystemRoot'] + '/System32')",
    ],
)
def test_variables_that_say_where_things_are(code: str) -> None:
    assert rate_python(code).risk is SecurityRisk.HIGH

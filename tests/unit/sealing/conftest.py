"""Keys in a folder, who seals with them, and who believes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier.sealing import Sealer
from guardtier.verifying import Verifier
from sealed import KeyFolder


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


@pytest.fixture
def sealer(folder: KeyFolder) -> Sealer:
    return folder.sealer()


@pytest.fixture
def verifier(folder: KeyFolder) -> Verifier:
    return Verifier(file=folder.public)

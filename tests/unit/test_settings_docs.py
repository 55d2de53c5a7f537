"""docs/settings.md is the list of all settings: none is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from guardtier.analyzers.member import MemberSettings
from guardtier.console_settings import ConsoleSettings
from guardtier.security import SecuritySettings
from guardtier.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", [Settings, SecuritySettings, MemberSettings, ConsoleSettings])
def test_every_key_has_its_row(model: type[BaseModel]):
    heads = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    rows = {name for head in heads for name in re.findall(r"\w+", head)}

    assert set(model.model_fields) - rows == set()

"""docs/notices.md: every key of a channel stands there, and its examples are right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from guardtier.channels import EmailChannel, SlackChannel, WebhookChannel
from guardtier.policy.terms import Terms
from guardtier.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "notices.md").read_text(encoding="utf-8")
TERMS, SETTINGS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("model", [WebhookChannel, SlackChannel, EmailChannel])
def test_every_key_has_its_row(model: type[WebhookChannel | SlackChannel | EmailChannel]):
    heads = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    keys = set(re.findall(r"`(\w+)`", " ".join(heads)))

    assert set(model.model_fields) - keys == set()


def test_the_examples_are_taken_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GUARDTIER_CHANNEL__BOSS__PASSWORD", "from the environment")
    file = tmp_path / "guardtier.toml"
    file.write_text(SETTINGS)

    terms = Terms.model_validate(tomllib.loads(TERMS)["rule"]["terms"])
    settings = Settings.load(file)

    told = {*terms.notify, *(channel for step in terms.escalate for channel in step.notify)}
    assert told == set(settings.channel)

"""docs/policy.md: every key is told, and its example works."""

from __future__ import annotations

import re
from pathlib import Path

from guardtier.policy.file import PolicyFile
from guardtier.policy.inline import InlineTest
from guardtier.policy.rules import Rule
from guardtier.policy.section import FleetSection
from guardtier.policy.terms import Terms

DOCS = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()


def test_every_key_is_told():
    keys = {key for model in (Rule, FleetSection, InlineTest, Terms) for key in model.model_fields}

    assert [key for key in sorted(keys) if f"`{key}`" not in DOCS] == []


def test_its_example_passes_its_own_test():
    (text,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)

    (result,) = (
        PolicyFile.parse(text.replace('expect = "reject"', 'expect = "reject"\nrisk = "LOW"'))
        .compiled()
        .run_tests()
    )
    assert result.passed, result.wrong

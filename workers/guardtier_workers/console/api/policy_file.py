"""``/policy-file``: the policy file of all fleets: read, checked, set, reset."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.action import NAME
from guardtier.errors import ConfigError
from guardtier.policy.standing import EVERY_FLEET
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.api.replacing import Digest, ResetQuery, replaced_by
from guardtier_workers.console.query import Query
from guardtier_workers.console.rules.examined import Difference, Examined, TestOutcome, Wrong
from guardtier_workers.console.rules.rights import check_may_configure
from guardtier_workers.console.rules.standing import (
    file_among,
    file_that_stands,
    file_view,
    rule_view,
    rules_of,
)
from guardtier_workers.console.rules.views import FileStands, RuleInWords

SHOWN = 5  #: failed tests that an error names


class RulesQuery(Query):
    """``after``: how many to leave out, from the file's first rule on. ``fleet``: those about it alone."""

    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    after: int = Field(default=0, ge=0, le=10_000)
    limit: int = Field(default=100, ge=1, le=200)


class RulesView(BaseModel):
    """``after``: where the next page begins, null where there is none."""

    rules: list[RuleInWords]
    total: int
    after: int | None


class Text(BaseModel):
    """A policy file, in TOML (docs/policy.md)."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(max_length=256 * 1024)]


class TextToSet(Text):
    """``replaces``: the ``set_digest`` that was shown, null for none. Left out: whatever stands."""

    replaces: Digest | None = None


class Checked(BaseModel):
    """``ok``: it could be set, as far as can be told here; the tier looks at the channels and at how many
    people may approve. ``wrong`` says why it can't be read. ``advice``: what is hardly meant.
    """

    ok: bool
    wrong: Wrong | None
    rules: int
    fleets: int
    tests: list[TestOutcome]
    advice: list[str]
    difference: Difference


async def policy_file(call: Call) -> FileStands:
    return file_view(await file_that_stands(call.console), call.visitor.me)


async def policy_rules(call: Call) -> RulesView:
    me, asked = call.visitor.me, call.query
    found = rules_of(await file_that_stands(call.console), me, asked.fleet)
    ends = asked.after + asked.limit
    return RulesView(
        rules=[rule_view(rule, me) for rule in found[asked.after : ends]],
        total=len(found),
        after=ends if ends < len(found) else None,
    )


async def check_policy_file(call: Call) -> Checked:
    check_may_configure(call.visitor.me, EVERY_FLEET)
    stands = await file_that_stands(call.console)
    found = await call.console.examiner.check(call.body.text, stands=stands.text)
    return Checked(
        ok=found.wrong is None and not found.failed,
        wrong=found.wrong,
        rules=len(found.rules),
        fleets=len(found.fleets),
        tests=list(found.tests),
        advice=list(found.advice),
        difference=found.difference or Difference(same=False),
    )


async def set_policy_file(call: Call) -> FileStands:
    check_may_configure(call.visitor.me, EVERY_FLEET)
    check_usable(await call.console.examiner.check(call.body.text))
    parts = await call.tier.set_policy_file(call.body.text, replaces=replaced_by(call.body))
    return file_view(await file_among(call.console, parts), call.visitor.me)


async def reset_policy_file(call: Call) -> FileStands:
    check_may_configure(call.visitor.me, EVERY_FLEET)
    parts = await call.tier.reset_policy_file(replaces=call.query.replaced)
    return file_view(await file_among(call.console, parts), call.visitor.me)


def check_usable(found: Examined) -> None:
    """Raise ConfigError where the file can't be read, or one of its tests fails."""
    if found.wrong is not None:
        where = f"line {found.wrong.line}: " if found.wrong.line else ""
        raise ConfigError(where + found.wrong.message, field=found.wrong.field)
    if failed := found.failed:
        told = "; ".join(f"{one.name!r}: {one.wrong}" for one in failed[:SHOWN])
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        raise ConfigError(f"{len(failed)} of its tests fail: {told}{more}", field="test", limit=len(failed))


ENDPOINTS = (
    Endpoint("GET", "/policy-file", policy_file, FileStands, "The policy file that stands", tag="policy"),
    Endpoint(
        "GET",
        "/policy-file/rules",
        policy_rules,
        RulesView,
        "Its rules in words, as far as they are about your fleets",
        query=RulesQuery,
        tag="policy",
    ),
    Endpoint(
        "POST",
        "/policy-file/check",
        check_policy_file,
        Checked,
        "Check a text: its tests, what is hardly meant, what would change",
        body=Text,
        tag="policy",
    ),
    Endpoint(
        "PUT",
        "/policy-file",
        set_policy_file,
        FileStands,
        "Let a policy file stand for all fleets, from their next action on",
        body=TextToSet,
        tag="policy",
    ),
    Endpoint(
        "DELETE",
        "/policy-file",
        reset_policy_file,
        FileStands,
        "Back to the settings' policy file, or to none",
        query=ResetQuery,
        tag="policy",
    ),
)

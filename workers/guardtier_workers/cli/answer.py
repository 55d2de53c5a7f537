"""guardtier approve, guardtier reject: one approver's answer to one action or to several."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.answer import Choice
from guardtier.approver import ApproverClient
from guardtier.approver_answers import Draft
from guardtier.errors import GuardtierError, InvalidAnswer
from guardtier.policy.grants import Remember, grant_id
from guardtier.policy.tally import Counted
from guardtier.policy.terms import seconds
from guardtier.verdict import Verdict
from guardtier_workers.cli.exits import Exit, UsageError, error_body
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.remember import (
    BelowFolder,
    ForHowLong,
    ForWhom,
    HowOften,
    RememberAs,
    Yes,
    shown,
    wish,
)
from guardtier_workers.cli.tier import tier_at

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="As guardtier pending shows them. Each is answered by itself."),
]
Digest = Annotated[
    str | None,
    typer.Option(
        metavar="DIGEST",
        help="Answer only if the action still has this digest, the one that you looked at.",
        show_default=False,
    ),
]
Shown = Annotated[
    str | None,
    typer.Option(
        "--shown",
        metavar="SHA256",
        help="Answer only if it still stands there as you saw it: guardtier show prints this of an action "
        "that holds secrets.",
        show_default=False,
    ),
]
BlockFor = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="The same action is refused at once for so long, as in 10m; 0 for not at all. "
        "Else as the policy says.",
        show_default=False,
    ),
]
Came = Verdict | Counted | GuardtierError


@dataclass(frozen=True, slots=True)
class _Where:
    """Which tier is asked, as whom, and how long for."""

    redis_url: str | None
    config: Path | None
    name: str | None
    token_file: Path | None
    timeout: float


def approve(
    action_ids: Ids,
    reason: Annotated[str, typer.Option(help="Kept with the verdict.")] = "",
    digest: Digest = None,
    as_shown: Shown = None,
    remember: RememberAs = None,
    scope: ForWhom = None,
    remember_for: ForHowLong = None,
    uses: HowOften = None,
    below: BelowFolder = None,
    yes: Yes = False,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Let parked actions run, once each; exit code 1 where one of several failed."""
    drafts = _drafts(action_ids, Choice.APPROVE, (digest, as_shown), reason)
    wanted = wish(remember, scope, remember_for, uses, below)
    where = _Where(redis_url, config, name, token_file, timeout)
    return _answer(drafts, where, as_json, wanted, sure=yes)


def reject(
    action_ids: Ids,
    reason: Annotated[str, typer.Option(help="Told to the agent's model: say what to do instead.")],
    digest: Digest = None,
    as_shown: Shown = None,
    block_for: BlockFor = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Forbid parked actions; exit code 1 where one of several failed."""
    drafts = _drafts(action_ids, Choice.REJECT, (digest, as_shown), reason, _retry(block_for))
    return _answer(drafts, _Where(redis_url, config, name, token_file, timeout), as_json)


def _drafts(
    ids: Sequence[str],
    choice: Choice,
    seen: tuple[str | None, str | None],
    reason: str,
    retry: int | None = None,
) -> list[Draft]:
    """``seen``: by digest, and as shown. Raises UsageError."""
    ids = list(dict.fromkeys(ids))
    for field, value in zip(("digest", "shown"), seen, strict=True):
        if value is not None and len(ids) > 1:
            raise UsageError(f"--{field} is that of one action: answer this one by itself", field=field)
    digest, as_shown = seen
    return [Draft(action_id, choice, digest, reason, retry, shown=as_shown) for action_id in ids]


def _retry(block_for: str | None) -> int | None:
    if block_for is None:
        return None
    try:
        return int(block_for) if block_for.isdigit() else round(seconds(block_for))
    except ValueError as error:
        raise UsageError(f"--block-for: {error}", field="block_for") from error


def _answer(
    drafts: Sequence[Draft],
    where: _Where,
    as_json: bool,
    remember: Remember | None = None,
    *,
    sure: bool = False,
) -> int:
    """Send them and tell what came of each. Of a single one the error is the command's own."""
    came = asyncio.run(_sent(drafts, where, remember, sure=sure))
    if not came:
        note("nothing was sent")
        return Exit.ERROR
    if len(came) == 1 and isinstance(came[0], GuardtierError):
        raise came[0]
    for draft, one in zip(drafts, came, strict=True):
        if as_json:
            emit(_body(draft.id, one) | _left(draft.id, one, remember))
        else:
            _tell(draft.id, one)
            _tell_left(draft.id, one, remember)
    failed = sum(isinstance(one, GuardtierError) for one in came)
    if failed and not as_json:
        note(f"{failed} of {len(came)} answers failed")
    return Exit.ERROR if failed else Exit.DONE


async def _sent(
    drafts: Sequence[Draft], where: _Where, remember: Remember | None, *, sure: bool
) -> list[Came]:
    async with (
        tier_at(where.redis_url, where.config) as tier,
        tier.approver(where.name, where.token_file) as approver,
    ):
        for one in drafts:
            await _check_seen(one, approver, where.timeout)
        if remember is not None:
            drafts = await shown(drafts, remember, approver, sure=sure)
        return await approver.answer_many(drafts, timeout=where.timeout)


async def _check_seen(draft: Draft, approver: ApproverClient, timeout: float) -> None:
    """Raises InvalidAnswer where the digest by which an action is approved does not tell what was shown."""
    if draft.choice is Choice.REJECT or draft.digest is None or draft.shown is not None:
        return
    record = await approver.get(draft.id, timeout=timeout)
    if record.digest == draft.digest and record.is_readable and record.action.digest != draft.digest:
        raise InvalidAnswer(
            "it holds secrets, and its digest is that of the whole: it does not tell what you were shown: "
            f"look at it (guardtier show {draft.id}), and name by --shown what that prints as shown",
            field="shown",
        )


def _body(action_id: str, came: Came) -> dict[str, Any]:
    """One JSON object a line: the verdict; or what was counted, or the error, under their names."""
    match came:
        case Verdict():
            return came.model_dump(mode="json")
        case Counted():
            return {"id": action_id, "counted": came.model_dump(mode="json", exclude={"id"})}
        case _:
            return {"id": action_id, "error": error_body(came)}


def _left(action_id: str, came: Came, remember: Remember | None) -> dict[str, Any]:
    """The grant that an approval has left, where one was asked for."""
    return {"left_grant": grant_id(action_id)} if remember and isinstance(came, Verdict) else {}


def _tell_left(action_id: str, came: Came, remember: Remember | None) -> None:
    if remember is not None and isinstance(came, Verdict):
        say(f"remembered as {grant_id(action_id)}: guardtier grants list")
    elif remember is not None and isinstance(came, Counted):
        note("not remembered: only the answer that decides leaves a grant")


def _tell(action_id: str, came: Came) -> None:
    match came:
        case Verdict():
            say(f"{came.outcome.value} by {', '.join(came.decided_by)}: {action_id}")
        case Counted():
            say(f"counted, {came.in_words}: {action_id}")
        case _:
            note(f"failed: {action_id}: {came.message}")

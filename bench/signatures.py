"""What a signed verdict costs: CPU of the policy worker that seals it and of the agent that verifies it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time, time
from typing import Any

from guardtier.action import ActionEvent
from guardtier.keyfile import Key, read_private
from guardtier.risk import SecurityRisk
from guardtier.sealing import Sealer, SigningKeys
from guardtier.signatures import signer, verifier
from guardtier.verdict import Outcome, Verdict
from guardtier.verifying import Verifier
from guardtier_workers import keyring

VERDICTS = 1000
ROUNDS = 7


@contextmanager
def keys() -> Iterator[dict[str, str]]:
    """What workers and clients have in their environment where verdicts are signed."""
    with TemporaryDirectory() as folder:
        file, public = Path(folder) / "signing.json", Path(folder) / "public.json"
        keyring.make(file)
        keyring.publish(file, public)
        yield {"GUARDTIER_SIGNING_KEY_FILE": str(file), "GUARDTIER_VERDICT_KEYS": str(public)}


def measure() -> dict[str, float]:
    """Microseconds of CPU a verdict, the best round's mean: with and without, and the library alone."""
    with keys() as env:
        file = Path(env["GUARDTIER_SIGNING_KEY_FILE"])
        reader = Verifier(file=Path(env["GUARDTIER_VERDICT_KEYS"]))
        return _costs(Sealer(SigningKeys(file)), reader, read_private(file)[0])


def _costs(sealer: Sealer, reader: Verifier, key: Key) -> dict[str, float]:
    verdicts = [_verdict(number) for number in range(VERDICTS)]  # more than a verifier remembers
    plain, sealed = [one.to_json() for one in verdicts], [sealer(one) for one in verdicts]
    sign, is_by_it = signer(key.private.get_secret_value() if key.private else ""), verifier(key.public)
    signed = [(sign(body), body) for body in plain]
    return {
        "to_json": _mean(Verdict.to_json, verdicts),
        "seal": _mean(sealer, verdicts),
        "from_json": _mean(Verdict.from_json, plain),
        "verify": _mean(reader.read, sealed),
        "sign_alone": _mean(sign, plain),
        "verify_alone": _mean(lambda pair: is_by_it(*pair), signed),
    }


def _mean(what: Callable[[Any], Any], given: list[Any]) -> float:
    def once() -> float:
        start = process_time()
        for one in given:
            what(one)
        return 1e6 * (process_time() - start) / len(given)

    return round(min(once() for _ in range(ROUNDS)), 1)


def _verdict(number: int) -> Verdict:
    action = ActionEvent(
        fleet="web", agent="coder", tool_name="terminal", arguments={"command": f"ls {number}"}
    ).placed_in(0)
    return Verdict(
        id=action.id,
        outcome=Outcome.RELEASED,
        digest=action.digest,
        risk=SecurityRisk.LOW,
        policy="confirm_risky:HIGH",
        decided_at=int(time() * 1000),
    )

"""guardtier policy check and test: a policy file, without a tier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.errors import ConfigError
from guardtier.policy.advice import advice
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.file import MAX_BYTES, PolicyFile
from guardtier.policy.inline import TestResult
from guardtier.settings import Settings
from guardtier_workers.cli.exits import Exit
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.rating import Rater
from guardtier_workers.cli.tier import load_settings
from guardtier_workers.targets import targets_of

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy files, in TOML.")]

COUNTED = ("rules", "fleets", "tests")


def check(files: Files, as_json: Json = False) -> None:
    """Read policy files as the tier would, and say what in them is hardly meant."""
    bodies = [_checked(file) for file in files]
    if as_json:
        emit({"files": bodies})
        return
    for body in bodies:
        counts = (f"{body[what]} {what[: -1 if body[what] == 1 else None]}" for what in COUNTED)
        say(f"{body['file']}: {', '.join(counts)}")
        for said in body["advice"]:
            say(f"  {said}")


def run_tests(files: Files, config: Config = None, as_json: Json = False) -> int:
    """Run the tests in policy files, rated by the configured analyzers. Exits 1 where one fails."""
    settings = load_settings(None, config)
    results = {str(file): rated(read(file).compiled(), settings) for file in files}
    failed = [one for found in results.values() for one in found if not one.passed]
    if as_json:
        emit({"files": [{"file": name, "tests": _bodies(found)} for name, found in results.items()]})
    else:
        for name, found in results.items():
            _tell(name, found)
    return Exit.ERROR if failed else Exit.DONE


def rated(policy: CompiledPolicy, settings: Settings) -> list[TestResult]:
    """The result of each of a file's tests, none skipped. Raises ConfigError for a wrong analyzer."""
    with Rater(settings) as rater:
        return policy.run_tests(
            rater.assess,
            targets=targets_of,
            default=settings.policy_of,
        )


def read(file: Path) -> PolicyFile:
    """The policy file at this path. Raises ConfigError."""
    try:
        with file.open("rb") as source:
            raw = source.read(MAX_BYTES + 1)
        return PolicyFile.parse(raw.decode(), name=str(file))
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}", field="file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8", field="file") from error


def _checked(file: Path) -> dict[str, Any]:
    found = read(file)
    policy = found.compiled()
    return {
        "file": str(file),
        "rules": len(found.rule),
        "fleets": len(found.fleet),
        "tests": len(found.test),
        "channels": sorted(policy.channels),
        "quorums": {
            where: {"roles": list(roles), "approve": approve}
            for where, (roles, approve) in policy.quorums.items()
        },
        "advice": advice(found),
    }


def _bodies(results: list[TestResult]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "passed": one.passed,
            "expect": one.expect.value,
            "got": one.ruling.effect.value if one.ruling else None,
            "rules": list(one.ruling.rules) if one.ruling else [],
            "wrong": one.wrong,
            "known": one.known,
        }
        for one in results
    ]


def _tell(name: str, results: list[TestResult]) -> None:
    failed = [one for one in results if not one.passed]
    say(f"{name}: {len(results) - len(failed)} of {len(results)} tests pass")
    for one in failed:
        say(f"  {one.name}: {one.wrong or 'could not be run'}")
        if one.known:
            say(f"    {one.known}")

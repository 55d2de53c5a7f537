"""PolicyFile: rules, fleets' defaults and inline tests, as a TOML file has them (docs/policy.md)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, ValidationError

from guardtier.action import NAME
from guardtier.errors import ConfigError
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.complaint import complaint, in_rule
from guardtier.policy.inline import InlineTest
from guardtier.policy.known import unknown_id, unknown_label, unknown_mark
from guardtier.policy.rules import Ids, Rule
from guardtier.policy.section import FleetSection

MAX_BYTES = 256 * 1024  #: of a policy file
MAX_RULES = 2000
MAX_FLEETS = 1000
MAX_TESTS = 500  #: a policy worker runs them when a file is set

#: A key of more parts than any has here. tomllib takes memory with the square of their number: 100,000
#: of them, in 200 KiB, took more than 16 GB.
_LONG_KEY = re.compile(
    r"""(?<![A-Za-z0-9_\\-])"""
    r"""(?:(?:[A-Za-z0-9_-]++|"(?>(?:[^"\\\n]|\\.)*)"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}"""
)

FleetName = Annotated[str, StringConstraints(pattern=NAME)]


class PolicyFile(BaseModel):
    """A policy file that was read. :meth:`compiled` is what decides.

    ``own``: globs over the detector ids and labels that analyzers of your own give; rules may name them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    own: Ids = ()
    rule: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    fleet: dict[FleetName, FleetSection] = Field(default_factory=dict, max_length=MAX_FLEETS)
    test: tuple[InlineTest, ...] = Field(default=(), max_length=MAX_TESTS)

    _name: str = PrivateAttr(default="policy")
    _compiled: CompiledPolicy | None = PrivateAttr(default=None)

    @classmethod
    def parse(cls, text: str, *, name: str = "policy") -> Self:
        """Read a file's text, at most 256 KiB, 2,000 rules.

        Raises ConfigError that begins with ``name`` and names the rule and the key: one that nobody
        knows, a rule that can never match, two of one name, a ``when`` that does not compile.
        """
        body = _body_in(text, name)
        try:
            found = cls.model_validate(body)
        except ValidationError as error:
            raise complaint(error, body, cls, name) from error
        _check_names(found, name)
        _check_can_match(found, name)
        found._name = name
        found.compiled()
        return found

    def compiled(self) -> CompiledPolicy:
        """What decides under this file; made once, when it is parsed."""
        if self._compiled is None:
            self._compiled = CompiledPolicy(self.rule, self.fleet, self.test, name=self._name)
        return self._compiled


def _body_in(text: str, name: str) -> dict[str, Any]:
    try:
        size = len(text.encode())
        if size > MAX_BYTES:
            raise ConfigError(
                f"{name} has {size:,} bytes; a policy may have {MAX_BYTES:,}",
                field="policy",
                limit=MAX_BYTES,
            )
        if found := _LONG_KEY.search(text):
            raise ConfigError(f"{name} has a key of too many parts: {found[0][:40]}…", field="policy")
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is no TOML: {error}", field="policy") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name} holds characters that UTF-8 does not have", field="policy") from error
    except ValueError as error:  # what tomllib leaves to Python: a number of more than 4,300 digits
        raise ConfigError(f"{name} holds a number that is too long", field="policy") from error
    except RecursionError as error:
        raise ConfigError(f"{name} is nested too deeply", field="policy") from error


def _check_names(file: PolicyFile, name: str) -> None:
    """No two rules, no two tests of one name; a test names rules that there are."""
    for kind, entries in (("rule", file.rule), ("test", file.test)):
        counted = Counter(entry.name for entry in entries)
        for twice, times in counted.items():
            if times > 1:
                raise ConfigError(
                    f"{name}: {times} {kind}s are called {twice!r}: give each a name of its own",
                    field=f"{kind}.{twice}.name",
                )
    rules = {rule.name for rule in file.rule}
    for test in file.test:
        for wanted in test.rules or ():
            if wanted not in rules:
                raise ConfigError(
                    f"{name}: test {test.name!r}: there is no rule {wanted!r}",
                    field=f"test.{test.name}.rules",
                )


def _check_can_match(file: PolicyFile, name: str) -> None:
    """Each detector id and label that a rule names is one that there can be."""
    for rule in file.rule:
        wrong = [("finding", unknown_id(glob, file.own)) for glob in rule.finding or ()]
        wrong += [("label", unknown_label(glob, file.own)) for glob in rule.label or ()]
        wrong += [("redacted", unknown_mark(glob, file.own)) for glob in rule.redacted or ()]
        for key, says in wrong:
            if says is not None:
                raise in_rule(name, rule.name, ConfigError(f"{key}: {says}", field=key))

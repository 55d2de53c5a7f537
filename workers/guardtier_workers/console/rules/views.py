"""What the policy page shows, and the API gives: the file that stands, its rules, the fleets' policies."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from guardtier.policy.confirmation import Policy

#: Where what counts comes from. ``unreadable``: everything is parked until it is set anew.
FileSource = Literal["run time", "settings", "none", "unreadable"]
PolicySource = Literal["run time", "policy file", "settings", "unreadable", "unreadable file"]


class FileInPartition(BaseModel):
    """``changed`` by the request that this answers."""

    partition: int
    version: str | None
    source: FileSource
    digest: str | None
    by: str | None = None
    at: int | None = Field(default=None, description="milliseconds since 1970")
    changed: bool = False


class FileStands(BaseModel):
    """Which policy file counts for all fleets.

    ``agreed``: in every partition the same; else repeat what was done last. ``set_digest``: of the text
    that was set at run time, null where none was: what a change says that it ``replaces``; not ``agreed``:
    it stands for what is in all partitions. ``text`` (of the first) is for those who see every fleet.
    """

    version: str | None
    source: FileSource
    digest: str | None
    set_digest: str | None
    agreed: bool
    words: str
    rules: int
    tests: int
    text: str | None
    partitions: list[FileInPartition]


class RuleInWords(BaseModel):
    """``matches`` must all hold, an empty list holds for every action; then the action ``outcome``."""

    name: str
    effect: Literal["release", "park", "reject"]
    matches: list[str]
    outcome: str
    shadow: bool
    owner: str


class PolicyInPartition(BaseModel):
    """``changed`` by the request that this answers."""

    partition: int
    policy: Policy
    version: str
    source: PolicySource
    shadow: bool
    by: str | None = None
    at: int | None = Field(default=None, description="milliseconds since 1970")
    changed: bool = False


class FleetStands(BaseModel):
    """What a fleet is under where no rule matches. ``shadow``: it is released whatever the rules say.

    ``set_digest``: of the policy that was set at run time, null where none was: what a change says that it
    ``replaces``; not ``agreed``: it stands for what is in all partitions.
    """

    fleet: str
    policy: Policy
    version: str
    source: PolicySource
    set_digest: str | None
    shadow: bool
    agreed: bool
    words: str
    where_from: str
    partitions: list[PolicyInPartition]

"""The rules by which outputs are read for secrets: a member's own, or the package's, once a process."""

from __future__ import annotations

from guardtier.analyzers.registry import ensemble
from guardtier.analyzers.text.secrets import SecretsAnalyzer
from guardtier_workers.outcome import secret_rules_of


def test_a_member_for_secrets_brings_its_own_rules() -> None:
    with_one = ensemble(("llm", "secrets"), time_limit=5)
    (member,) = (one for one in with_one.analyzers if isinstance(one, SecretsAnalyzer))

    assert secret_rules_of(with_one) is member.rules


def test_without_one_a_process_has_one_copy_of_the_packages() -> None:
    first, second = (ensemble((name,), time_limit=5) for name in ("llm", "noop"))

    assert secret_rules_of(first) is secret_rules_of(second)
    assert secret_rules_of(first).rule("github_token") is not None

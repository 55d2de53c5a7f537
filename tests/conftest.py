"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Generator
from functools import cache

import pytest

from hanging import limited, open_log

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # the SDKs' own environments have none, and test nothing by it
    pass
else:
    # The same examples in every run, however slow the machine is: whoever changes something is told of what
    # they changed. Others: make test ARGS=--hypothesis-profile=search.
    settings.register_profile(
        "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
    )
    settings.register_profile(
        "same", parent=settings.get_profile("search"), derandomize=True, database=None
    )
    settings.load_profile("same")

#: What takes longest a file begins first, so that no process is alone with it at the end.
LONGEST = (
    "cli/test_up.py",
    "e2e/test_api_schema.py",
    "integration/test_faults.py",
    "integration/test_state_machine.py",
    "e2e/test_accessible.py",
    "e2e/",
    "integration/pools/",
    "integration/test_worker_process.py",
    "integration/test_many_approvers.py",
    "integration/test_fairness.py",
    "integration/test_hostile_streams.py",
    "integration/",
    "cli/",
    "unit/test_bad_actions.py",
    "unit/text/test_bounds.py",
    "unit/test_metamorphic.py",
    "unit/tools/",
    "chaos/",
    "console/",
)


def pytest_configure() -> None:
    gc.disable()  # until all are collected: nothing of that is garbage
    open_log()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.nodeid.partition("::")[0].removeprefix("tests/")))


@cache
def _turn(file: str) -> int:
    return next((turn for turn, name in enumerate(LONGEST) if file.startswith(name)), len(LONGEST))


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: no collection of garbage need go through them again."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with limited(f"the start of what {item.nodeid} needs"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with limited(item.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with limited(f"the end of what {item.nodeid} needed"):
        return (yield)

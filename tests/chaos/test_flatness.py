"""Flat or not: what grows is found, what goes up and down is not taken for it."""

from __future__ import annotations

import random

import pytest

from chaos.flatness import flatness

SECONDS = range(0, 600, 5)


def grown(per_second: float, noise: float = 0.0, saw: float = 0.0) -> list[tuple[float, float]]:
    chance = random.Random(1)
    return [
        (t, 100 + per_second * t + chance.uniform(-noise, noise) + saw * (t % 60) / 60) for t in SECONDS
    ]


@pytest.mark.parametrize(
    "samples",
    [
        grown(0),
        grown(0, noise=3),
        grown(0, saw=50),  # trimmed once a minute
        grown(-0.1),
        [(t, 100 + min(t, 180)) for t in SECONDS],  # it fills, and stays
        [(t, 100 + (1000 if t == 400 else 0)) for t in SECONDS],  # one peak
    ],
)
def test_what_does_not_grow_is_flat(samples: list[tuple[float, float]]) -> None:
    assert flatness(samples, least=1).is_flat


@pytest.mark.parametrize(
    "samples",
    [grown(0.02), grown(0.02, noise=3), grown(0.05, saw=10), [(t, t * t / 1000) for t in SECONDS]],
)
def test_what_grows_is_not(samples: list[tuple[float, float]]) -> None:
    assert not flatness(samples, least=1).is_flat


def test_its_figures() -> None:
    found = flatness(grown(0.1), least=1)

    assert 30 <= found.grows <= 45  # over the 65 % that are looked at
    assert found.first < found.last <= found.peak == 100 + 0.1 * 595


def test_too_little_says_nothing() -> None:
    with pytest.raises(ValueError, match="longer"):
        flatness(grown(0)[:8], least=1)

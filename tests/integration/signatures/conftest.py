"""A tier that signs, a client with its keys, and a tier whose workers are away."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import GuardClient
from sealed import KeyFolder
from tier import StartTier, Tier


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


@pytest.fixture
async def tier(start_tier: StartTier, folder: KeyFolder) -> Tier:
    return await start_tier(signing_key_file=folder.private)


@pytest.fixture
def client(tier: Tier, folder: KeyFolder) -> GuardClient:
    return tier.client(verdict_keys=folder.public)


@pytest.fixture
async def alone(start_tier: StartTier) -> Tier:
    """A tier whose workers have all gone, so that only an impostor answers."""
    tier = await start_tier()
    for running in tier.workers:
        await running.stop()
    return tier

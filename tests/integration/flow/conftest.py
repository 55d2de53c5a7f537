"""A tier that looks at what each conversation has done."""

from __future__ import annotations

import pytest

from talks import started
from tier import StartTier, Tier


@pytest.fixture
async def tier(start_tier: StartTier) -> Tier:
    return await started(start_tier)

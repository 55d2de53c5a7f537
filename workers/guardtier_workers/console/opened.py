"""Opened: records whose actions are read, the long ones beside the loop that serves everybody."""

from __future__ import annotations

import asyncio
from typing import Final

from guardtier.store.records import Record

LONG: Final = 32 * 1024  #: bytes; reading a megabyte of empty lists takes half a second


async def opened(record: Record) -> Record:
    """The record, once its action was read: whoever asks for it then does not wait."""
    if len(record.event) > LONG:
        await asyncio.to_thread(getattr, record, "is_readable")
    return record

"""A worker that is started with this folder on PYTHONPATH has a clock that is CHAOS_CLOCK seconds off.

``time.time`` and ``time.time_ns``, which is how the tier tells the time; ``datetime.now`` is not changed.
"""

import os
import time

OFFSET = int(os.environ.get("CHAOS_CLOCK", "0"))
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + OFFSET
time.time_ns = lambda: _time_ns() + OFFSET * 1_000_000_000

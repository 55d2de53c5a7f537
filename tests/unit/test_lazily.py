"""What is put off is loaded when it is used; no worker loads what none uses."""

from __future__ import annotations

import subprocess
import sys

WORKER = """
import sys
import guardtier_workers.worker
assert not {"cryptography.x509", "jwt.api_jwt"} & set(sys.modules)
import jwt
assert jwt.decode(jwt.encode({"a": 1}, "k" * 32, "HS256"), "k" * 32, ["HS256"]) == {"a": 1}
"""


def test_a_worker_does_without_what_redis_py_imports_for_others() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")

"""What an orchestrator asks of a worker's port."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import urlopen


def health(port: int, path: str = "/healthz") -> tuple[int, dict[str, object]] | None:
    """Status and body; None while nobody listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return None

"""Make what a new tier needs and nobody else may see.

``python deploy/make_secrets.py FOLDER --host redis`` makes

    redis/users.acl      for Redis: a user a role, by the hashes of their passwords
    ROLE.env             GUARDTIER_REDIS_URL of each role; agent-FLEET.env for the agents of a fleet
    scaler.env           username and password, for KEDA
    signing/keys.json    the keys that verdicts are signed with
    verdict_keys.json    their public halves, for agents: the one file that is no secret
    approvers/           for `guardtier approver add NAME --file FOLDER/approvers/approvers.toml`

It needs guardtier installed, changes nothing that is there, and sends nothing anywhere.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from guardtier.keyfile import Key, private_json, public_json
from guardtier.store.roles import ADMIN, ROLES, acl_file, agents_of

SCALER = Path(__file__).parent / "kubernetes" / "keda" / "scaler.acl"
PASSWORD_BYTES = 24


def main(arguments: Sequence[str] | None = None) -> int:
    told = _parser().parse_args(arguments)
    folder: Path = told.folder
    if folder.exists() and any(folder.iterdir()):
        print(f"{folder} is not empty: nothing was changed. Name another one", file=sys.stderr)
        return 1
    fleets = told.fleet or ["default"]
    roles = [ADMIN, *(role.name for role in ROLES), *(agents_of(fleet).name for fleet in fleets)]
    passwords = {name: secrets.token_hex(PASSWORD_BYTES) for name in [*roles, "scaler"]}
    acl = acl_file(told.partitions, fleets, lambda name: _hashed(passwords[name]))
    scaler = SCALER.read_text(encoding="utf-8").strip() + f" #{_hashed(passwords['scaler'])}\n"
    key = Key.new()

    for one in ("approvers", "redis", "signing"):
        (folder / one).mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    _write(folder / "redis" / "users.acl", acl + scaler)
    for name in roles:
        _write(
            folder / f"{name}.env", f"GUARDTIER_REDIS_URL=redis://{name}:{passwords[name]}@{told.host}/0\n"
        )
    _write(folder / "scaler.env", f"username=scaler\npassword={passwords['scaler']}\n")
    _write(folder / "signing" / "keys.json", private_json([key]))
    _write(folder / "verdict_keys.json", public_json([key]), 0o644)
    print(f"{folder}: {len(roles)} credentials, signing key {key.id}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a new folder, or an empty one")
    parser.add_argument(
        "--host", required=True, help="of Redis as the workers see it; with :PORT if not 6379"
    )
    parser.add_argument("--fleet", action="append", help="of agents; may be repeated (default: default)")
    parser.add_argument("--partitions", type=int, default=1, help="as in the settings (default: 1)")
    return parser


def _hashed(password: str) -> str:
    return sha256(password.encode()).hexdigest()


def _write(file: Path, text: str, mode: int = 0o600) -> None:
    """A new file that nobody could have opened before it had its mode."""
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
    ) as made:
        made.write(text)
    file.chmod(mode)  # whatever the umask was


if __name__ == "__main__":
    sys.exit(main())

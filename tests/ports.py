"""Ports for servers that are started a moment later, or again: nobody else is given them meanwhile."""

from __future__ import annotations

import random
import socket

#: Below those of ``EmbeddedRedis`` and those of outgoing connections (embedded.PORTS says why).
PORTS = range(10_000, 20_000)


def free_port() -> int:
    """A port of loopback that is ours until this process ends.

    It stays bound, so that nobody else who asks here, or asks the kernel for any, is given it. A server may
    listen there all the same: they set SO_REUSEADDR, as we do once the port is ours alone.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.detach()  # closed with the process
        return port

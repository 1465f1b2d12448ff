"""Ports for releases and lanes that listen wherever there is room."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Container

# Below Linux' ephemeral range: an outgoing connection must not take a port before its program binds it.
PORTS = range(20000, 32000)
_TRIES = 500


def free_port(host: str, taken: Container[int]) -> int:
    """A port of `host` that is free now and not in `taken`. Raises OSError when there is none."""
    for port in random.sample(PORTS, _TRIES):
        if port in taken:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop}")

"""Who may command the host."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from bot.adapters.targets.hosted.host.server import _is_trusted

pytestmark = pytest.mark.parametrize(
    ("uid", "trusted"), [(0, True), (os.getuid(), True), (os.getuid() + 1, False), (65534, False)]
)


class Peer(socket.socket):
    """A connection of a process of the user `uid`."""

    uid = 0

    def getsockopt(self, *asked: int) -> bytes:  # type: ignore[override]
        return struct.pack("3i", 4711, self.uid, self.uid)


def test_only_this_user_and_root_command_the_host(uid: int, trusted: bool) -> None:
    with Peer() as peer:
        peer.uid = uid
        assert _is_trusted(peer) is trusted

"""Another machine: an SSH server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ssh import SshServer, ssh_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SshServer]:
    found = ssh_server(tmp_path / "ssh")
    await found.start()
    yield found
    found.stop()

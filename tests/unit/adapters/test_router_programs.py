"""What routers share that are programs of Slipway's own."""

from __future__ import annotations

from pathlib import Path

from bot.adapters.routers.programs import write_pid


def test_pid_file_is_replaced_and_never_empty(tmp_path: Path) -> None:
    """The next host would take a router of which it reads no pid for one that does not run, and start another."""
    file = tmp_path / "envoy.pid"
    write_pid(file, 1)
    with file.open() as opened_before:
        write_pid(file, 22)
        assert opened_before.read() == "1" and file.read_text() == "22"
    assert list(tmp_path.iterdir()) == [file]

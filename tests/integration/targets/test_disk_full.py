"""A full disk stops neither serving, nor orders, nor counts."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters import disk_reserve
from bot.adapters.lane_files import write_atomically
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.domain.rollout.model import Desired
from tests.support.host import LANE, Users, process_target, release, settled
from tests.support.routers.subjects import need_envoy
from tests.support.users import as_root
from tests.support.waiting import until

ONE, TWO = release("1"), release("2")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "slipway-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Write until nothing can be written any more."""
    fd = os.open(folder / "other people's files", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, bytes(4096))
    os.close(fd)


@as_root
async def test_full_disk_stops_neither_serving_nor_orders_nor_counts(small_disk: Path) -> None:
    need_envoy()
    target = process_target(small_disk / "host", {LANE: HostedLaneSettings(listen_port=0)})
    try:
        await target.apply(LANE, Desired(1, ONE, TWO, 25))
        await settled(target, {"1": 75, "2": 25})
        await until(lambda: _exists(small_disk / "host" / "reserve"), bool)
        address = await target.router_address(LANE)
        assert address is not None
        fill(small_disk)
        with pytest.raises(OSError, match="No space"):
            (small_disk / "more").write_bytes(bytes(4096))

        async with aiohttp.ClientSession() as session:
            users = Users(session, address)
            await users.ask(200)  # 20 miss a share of 25% once in 300 times
            for generation in range(2, 12):  # forward and back again
                weight = 50 if generation % 2 == 0 else 0
                await target.apply(LANE, Desired(generation, ONE, TWO, weight))
                await settled(target, {"1": 100 - weight, "2": weight})
            counted = await target.counts(LANE)
            assert counted["routed"] and counted["releases"][ONE.digest]["total"] >= 1
            # What dies comes back, and an abort needs no disk either.
            async with session.get(address) as response:
                os.kill(int((await response.json())["pid"]), signal.SIGKILL)
            await until(lambda: target.observe(LANE), lambda o: any(r.restarts for r in o.running))
            await settled(target, {"1": 100})
            await target.apply(LANE, Desired(12, ONE, TWO, 50))
            aborted = await target.abort(LANE, "root", "the disk is full")
            await settled(target, {"1": 100})
            assert aborted.abort is not None
            await users.ask(20)
        assert set(users.got) == {"1", "2"} and users.got.total() == 220, users.got
    finally:
        (small_disk / "other people's files").unlink(missing_ok=True)
        await target.stop_host()


@as_root
def test_reserve_is_given_up_for_what_matters_and_made_again(small_disk: Path) -> None:
    folder = small_disk / "host" / "lanes"
    folder.mkdir(parents=True)
    disk_reserve.keep(small_disk / "host")
    assert (small_disk / "host" / "reserve").stat().st_size == disk_reserve.SIZE
    fill(small_disk)
    write_atomically(folder / "state.json", b"x" * 5000)
    assert (folder / "state.json").stat().st_size == 5000
    disk_reserve.keep(small_disk / "host")  # not from the space that was just given up
    assert not (small_disk / "host" / "reserve").exists()
    fill(small_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(folder / "state.json", b"y" * 50_000)
    assert (folder / "state.json").read_bytes() == b"x" * 5000
    (small_disk / "other people's files").unlink()
    disk_reserve.keep(small_disk / "host")
    assert (small_disk / "host" / "reserve").exists()


def test_other_trouble_costs_no_reserve(tmp_path: Path) -> None:
    disk_reserve.keep(tmp_path)

    def fails() -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        disk_reserve.with_reserve(tmp_path / "lanes" / "file", fails)
    assert (tmp_path / "reserve").exists()


async def _exists(path: Path) -> bool:
    return path.exists()

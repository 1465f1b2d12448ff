"""What the composition root does besides constructing."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bot.composition import wiring
from bot.settings import Settings


@pytest.fixture
def usual_collector() -> Iterator[tuple[int, int, int]]:
    usual = gc.get_threshold()
    yield usual
    gc.set_threshold(*usual)
    gc.unfreeze()


async def test_the_program_runs_with_a_collector_that_leaves_long_lived_objects_alone(
    monkeypatch: pytest.MonkeyPatch, usual_collector: tuple[int, int, int]
) -> None:
    seen: list[tuple[int, int]] = []

    class Assembled:
        async def until_stopped(self) -> None:
            seen.append((gc.get_threshold()[0], gc.get_freeze_count()))

    async def assemble(*_: Any, **__: Any) -> Assembled:
        return Assembled()

    monkeypatch.setattr(wiring, "_assemble", assemble)
    await wiring.run(Settings())
    threshold, frozen = seen[0]
    assert threshold >= 20 * usual_collector[0]
    assert frozen > 50_000


def test_what_most_processes_do_not_need_is_not_imported() -> None:
    """Each costs megabytes of idle memory: a client of Redis, migrations, charts (a process of their own)."""
    look = "import sys, bot.__main__, bot.composition.wiring; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    heavy = {"redis", "alembic", "sqlalchemy", "pygal", "resvg_py", "detect_secrets", "bot.doctor"}
    assert not heavy & set(ran.stdout.split())

"""What the composition root does besides constructing."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.composition import wiring
from bot.composition.bindings import Routing
from bot.settings import Settings
from tests.support.catalog_files import SOUND, write
from tests.support.catalogs import STAGING, catalog


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


@pytest.mark.virtual_time
async def test_a_part_that_awaited_what_was_cancelled_runs_on_and_the_program_with_it() -> None:
    begun: list[str] = []

    async def follows() -> None:
        begun.append("follows")
        if len(begun) < 3:
            shared = asyncio.get_running_loop().create_future()
            shared.cancel()
            await shared

    async def reload() -> Any:
        raise AssertionError("no one asked for it")

    await wiring._Slipway((follows,), reload).until_stopped()
    assert begun == ["follows"] * 3


@pytest.mark.virtual_time
async def test_an_edited_catalog_is_applied_after_a_try_that_was_cancelled_from_inside() -> None:
    class OneLane:
        """A lane that a rollout keeps on its own target, and the targets, which are away at the first try."""

        tries = 0

        async def active(self) -> list[Any]:
            return [SimpleNamespace(id=1, identity=1, lane=STAGING)] if self.tries < 2 else []

        async def load(self, rollout_id: int) -> Any:
            binding = SimpleNamespace(target=SimpleNamespace(name="local", settings={"kind": "fake"}))
            return SimpleNamespace(rollout=SimpleNamespace(binding=binding))

        def is_current(self, *_: object) -> bool:
            return False

        def served(self, binding: object) -> str:
            return "as bound"

        async def reload(self, *_: object) -> None:
            self.tries += 1
            if self.tries == 1:
                raise asyncio.CancelledError

    fake: Any = OneLane()
    routing = Routing(catalog, fake, fake, fake)
    await routing.begin()
    following = asyncio.create_task(routing.follow())
    await asyncio.sleep(10)
    assert fake.tries == 3  # cancelled, while the lane is held, and once more when it is free
    assert not following.done()
    following.cancel()


# Loads a catalog as the bot does, and makes its targets; prints what that imported, and which of it are adapters.
LOOK = """
import sys
from pathlib import Path
import bot.__main__, bot.cli.operations.service
from bot.catalog import load
from bot.composition import adapters, registry, wiring
folder = Path(sys.argv[1])
adapters.make_targets(load(folder, registry.KINDS), folder / "data", start=False)
print(*sys.modules)
print(*(name for name, module in sys.modules.items() if name.startswith("bot.") and hasattr(module, "KIND")))
"""
# Each costs megabytes of idle memory, and most bots need none of them: clients of Redis and Docker, migrations, charts
# and calendars (processes of their own), mail, secrets in crash logs, retries, the HTTP API.
HEAVY = {
    *(
        "aiosmtplib",
        "alembic",
        "bot.cli.deploys.local",
        "bot.doctor",
        "bot.web.api.models",
        "detect_secrets",
        "icalendar",
    ),
    *(
        "jsonpath_rfc9535",
        "limits",
        "psutil",
        "pygal",
        "recurring_ical_events",
        "redis",
        "resvg_py",
        "sentry_sdk",
    ),
    *("sqlalchemy", "stamina", "tarfile"),
}


def test_an_idle_bot_imports_only_what_its_catalog_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "config", all=SOUND)
    ran = subprocess.run([sys.executable, "-c", LOOK, folder], capture_output=True, text=True, check=True)
    imported, kinds = (set(line.split()) for line in ran.stdout.splitlines())
    assert not HEAVY & imported
    hosted = {"runtimes.process.kind", "routers.envoy.settings", "routers.haproxy.settings"}
    assert kinds == {f"bot.adapters.{module}" for module in {*hosted, "metrics.router", "sources.listed"}}

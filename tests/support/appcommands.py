"""Slash commands end to end without a bot: the real engine on PostgreSQL, the real sandbox over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from discord_sandbox import Sandbox

from bot.adapters.postgres.appcommands.manifests import PostgresAppCommands
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.sources.appcommands import CommandReleases
from bot.adapters.targets.appcommands import CommandsApi, CommandsTarget
from bot.adapters.targets.appcommands.changes import Probe, no_probe
from bot.catalog import load
from bot.catalog.resolution.appcommands import TARGET
from bot.composition.adapters import make_manifests, make_releases
from bot.composition.registry import KINDS
from bot.domain.config import Catalog
from bot.domain.rollout.model import Action, Actor, Lane, Phase, Rollout
from bot.engine.api import ActRequest
from bot.engine.appcommands.api import ApplyRequest, ApplyResult, Restored, RestoreRequest
from bot.engine.appcommands.comparison import Comparer
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.appcommands.sync_step import SyncStep
from bot.engine.appcommands.watch import CommandWatch
from bot.engine.lanes import Lanes
from bot.engine.loops.worker import LoopIntervals
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, LEAD
from tests.support.harness import QUICK, Slipway, World

HERALD = Lane("herald", "production")

HELLO = {"name": "hello", "description": "Says hello"}
WAVE = {
    "name": "wave",
    "description": "Waves at someone",
    "options": [{"type": 6, "name": "whom", "description": "At whom", "required": True}],
}


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Does {name}", **more}


class CommandsWorld(World):
    """What outlives a process: Discord, the database, the manifest's file, people."""

    def __init__(self, sandbox: Sandbox, dsn: str, folder: Path) -> None:
        super().__init__(dsn, target=FakeTarget(exclusive={HERALD}))
        self.sandbox = sandbox
        self.folder = folder
        self.guild = int(sandbox.guild_id())
        self.manifest = folder / "greeter.json"
        self.configure()
        self.write([HELLO])

    def configure(self, **application: Any) -> None:
        """The catalog, with changes of the application's section."""
        greeter = {
            "id": self.application_id,
            "token": "${GREETER_TOKEN}",
            "manifest": {"kind": "file", "path": "greeter.json"},
            "staging": ["harbor"],
            "owners": ["deployer"],
            "approval": "production",
            "emergency": ["on-call"],
        }
        guild = {
            "id": str(self.guild),
            "channels": {"deploys": "deploys", "alerts": "alerts"},
            "roles": {"deployer": "deployer", "release-manager": "release-manager", "on-call": "oncall"},
            "on_call": "on-call",
        }
        document = {
            "guilds": {"harbor": guild},
            "approvals": {"production": {"role": "release-manager"}},
            "applications": {"greeter": greeter | application},
        }
        (self.folder / "catalog.yaml").write_text(yaml.safe_dump(document))
        self.catalog: Catalog = load(self.folder, KINDS, {"GREETER_TOKEN": self.token})

    @property
    def application_id(self) -> str:
        found = self.sandbox.describe()["applications"]
        assert isinstance(found, list)
        return str(next(one["id"] for one in found if one["name"] == "greeter"))

    @property
    def token(self) -> str:
        return self.sandbox.token("greeter")

    def write(self, commands: object) -> None:
        self.manifest.write_text(json.dumps(commands))

    # ---- what Discord has, and what administrators do ----

    def calls(self, *methods: str, since: int = 0) -> list[tuple[str, str]]:
        """Slipway's own calls, oldest first, as the sandbox logged them."""
        return [
            (call.method, call.path.removeprefix("/api/v10").partition("?")[0])
            for call in self.sandbox.core.log.since(since)
            if "slipway" in str(call.headers) and (not methods or call.method in methods)
        ]

    @property
    def cursor(self) -> int:
        return self.sandbox.core.log.last

    async def fault(self, kind: str, method: str, **more: Any) -> None:
        """The next call of this kind to the commands routes goes wrong."""
        body = {"kind": kind, "method": method, "route": "/applications/*", **more}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.sandbox.url}/sandbox/v1/faults", json=body) as answer,
        ):
            assert answer.status == 201, await answer.text()

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[Any]:
        async with aiohttp.ClientSession() as http:

            async def call(method: str, path: str, body: Any = None) -> Any:
                headers = {"Authorization": f"Bot {self.token}"}
                url = f"{self.sandbox.api_base}/applications/{self.application_id}{path}"
                async with http.request(method, url, json=body, headers=headers) as answer:
                    assert answer.status < 300, await answer.text()
                    return await answer.json() if answer.status != 204 else None

            yield call

    async def names(self, guild: bool = False) -> list[str]:
        async with self.rest() as call:
            found = await call("GET", f"/guilds/{self.guild}/commands" if guild else "/commands")
        return sorted(one["name"] for one in found)

    async def someone_puts(self, commands: Sequence[Any], guild: bool = False) -> None:
        """Another program with the same token changes commands."""
        async with self.rest() as call:
            await call("PUT", f"/guilds/{self.guild}/commands" if guild else "/commands", list(commands))

    @asynccontextmanager
    async def open(
        self, *, probe: Probe = no_probe, intervals: LoopIntervals = QUICK, working: bool = True
    ) -> AsyncIterator[CommandsSlipway]:
        """One process: new adapters and a new engine on the same world."""
        async with Database(self.dsn, size=6, timeout_s=10.0) as database, aiohttp.ClientSession() as session:
            slipway = CommandsSlipway(self, database, session, probe, intervals)
            async with slipway.running(working):
                yield slipway
            await slipway.target.close()


class CommandsSlipway(Slipway):
    """One process that has slash commands as well."""

    def __init__(
        self,
        world: CommandsWorld,
        database: Database,
        session: aiohttp.ClientSession,
        probe: Probe,
        intervals: LoopIntervals,
    ) -> None:
        def current() -> Catalog:
            return world.catalog

        store = PostgresStore(database)
        self.records = PostgresAppCommands(database)
        self.api = CommandsApi(session, world.sandbox.api_base, first_wait_s=0.05)
        self.target = CommandsTarget(lambda: world.catalog.applications, self.api, self.records, probe=probe)
        services = make_releases(current)
        self.manifests = make_manifests(current, services)
        releases = CommandReleases(current, services, self.manifests, self.records)
        targets = {TARGET: self.target, "local": world.target}
        self.lanes = Lanes(store, current, targets, releases, world.clock)
        comparer = Comparer(self.manifests, self.target.looking, self.records, world.clock.now)
        self.watch = CommandWatch(
            store,
            self.lanes,
            comparer,
            reader=self.target.looking,
            records=self.records,
            alarm=world.announcer,
        )
        self.sync_step = SyncStep(store, self.lanes, manifests=self.manifests, records=self.records)
        super().__init__(
            world,
            database,
            targets=targets,
            releases=releases,
            metrics={},
            intervals=intervals,
            commands=self.sync_step,
        )
        self.service = AppCommandsService(
            self.engine,
            self.store,
            self.lanes,
            manifests=self.manifests,
            reader=self.target.looking,
            records=self.records,
        )

    async def apply(self, environment: str, actor: Actor = DEV, **more: Any) -> ApplyResult:
        return await self.service.apply(ApplyRequest(self.world.guild, actor, "greeter", environment, **more))

    async def restore(self, backup: int, actor: Actor = DEV, **more: Any) -> Restored:
        return await self.service.restore(RestoreRequest(self.world.guild, actor, backup, **more))

    async def approve(self, rollout: Rollout, actor: Actor = LEAD) -> None:
        await self.engine.act(ActRequest(rollout.id, Action.APPROVE, actor, self.world.guild))

    async def to_staging(self) -> Rollout:
        applied = await self.apply("staging")
        return await self.reaches(applied.rollout, Phase.SUCCEEDED)

    async def to_production(self, **more: Any) -> Rollout:
        applied = await self.apply("production", **more)
        await self.approve(await self.reaches(applied.rollout, Phase.GATED))
        return await self.reaches(applied.rollout, Phase.SUCCEEDED)

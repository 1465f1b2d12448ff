"""The fast world of scenarios: the demo's catalog, lanes, users and people, in virtual time."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from bot.catalog import load
from bot.composition.adapters import make_releases
from bot.composition.registry import KINDS
from bot.domain.rollout import model
from bot.domain.rollout.model import Desired
from demo.lanes import LANES, STABLE
from demo.services.behaviour import VERSIONS
from demo.stories.language import Lane, StoryError
from demo.stories.transcript import plain, short
from demo.stories.world import Answer, Message, Traffic
from tests.scenarios.chat import Chat, Post
from tests.scenarios.discord_api import CommandsSession
from tests.scenarios.lanes import START_S, VirtualTarget, VirtualUsers
from tests.scenarios.record import Record
from tests.scenarios.slipway import ChatAnnouncer, VirtualSlipway
from tests.support.paths import ROOT
from tests.support.virtual_time import EPOCH, virtual_loop

CATALOG = ROOT / "config" / "demo"
GREET = {"name": "greet", "description": "Says hello, and which version says it"}
APPLICATION = "greeter"
RESTART_S = 1.0
_DYING = {version for version, one in VERSIONS.items() if one.dies_at_start}
# After this Slipway has looked at every lane, and the stable releases have users.
ADOPTED_S = 5.0


class VirtualWorld:
    """Implements `demo.stories.world.World`. `async with` it, in a `VirtualLoop`."""

    patience_s = 120.0

    def __init__(self, dsn: str, folder: Path, record: Record) -> None:
        self._dsn = dsn
        self._record = record
        self._manifests = folder
        shutil.copytree(CATALOG / "manifests", folder, dirs_exist_ok=True)
        environ = {
            "HERALD_TOKEN": "a token",
            "SLIPWAY_DEMO_MANIFESTS": str(folder),
            "SLIPWAY_DEMO_ROOT": "/srv",
        }
        self._catalog = load(CATALOG, KINDS, environ)
        exclusive = {lane for lane, config in self._catalog.lanes.items() if config.policy.exclusive}
        self._target = VirtualTarget(self._tell, exclusive)
        rates = {model.Lane(one.service, one.environment): float(one.rate) for one in LANES if one.rate}
        self._users = VirtualUsers(self._target, rates)
        self._commands = CommandsSession(self._tell)
        self._chat = Chat(next(iter(self._catalog.guilds)))
        self._announcer = ChatAnnouncer(self._chat, self._tell, self._catalog)
        self._slipway: VirtualSlipway | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fatal = ""
        self._audited = 0
        self._cursors: list[dict[Lane, tuple[dict[str, int], dict[str, int]]]] = []

    async def __aenter__(self) -> Self:
        random.seed(1)  # pauses before retries
        await self._serve_stable()
        self._commands.put(self._application_id, GREET)
        self._background(self._users.ask_for_ever())
        self._start()
        await asyncio.sleep(ADOPTED_S)
        self._audited = await self._newest_audit()
        self._record.starts()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._slipway is not None:
            await self._slipway.kill()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # ---- people ----

    async def move_clock(self, seconds: float) -> None:
        """Time is virtual here: it passes for everything."""
        await self.sleep(seconds)

    async def command(self, who: str, name: str, options: Mapping[str, str]) -> Answer:
        if name in self._commands.names(self._application_id):
            return self._greeter(who, name)
        return self._told(await self._chat.command(who, name, options))

    async def press(self, who: str, message: Message, button: str) -> Answer:
        return self._told(await self._chat.press(who, message, button))

    async def choose(self, who: str, message: Message, choice: str) -> Answer:
        return self._told(await self._chat.choose(who, message, choice))

    async def submit(self, who: str, form: Answer, fields: Mapping[str, str]) -> Answer:
        return self._told(await self._chat.submit(who, form, fields))

    def _told(self, answer: Answer) -> Answer:
        said = short(plain(answer.text), 300) if answer.text else "(a form opens)"
        self._tell(f"→ {answer.who}", said)
        return answer

    def _greeter(self, who: str, name: str) -> Answer:
        """The other bot's own command, answered by the release of herald that runs."""
        version = next(iter(self._target.shares(model.Lane("herald", "production"))), None)
        if version is None:
            raise StoryError("the application did not respond: no herald is running")
        post = Post(1, "deploys", f"herald {version} does /{name}.")
        return self._told(Answer("1", who, post.seen(), private=True))

    # ---- what is seen ----

    async def messages(self, channel: str) -> Sequence[Message]:
        if channel not in self._chat.posts:
            raise StoryError(f"there is no #{channel}")
        return [post.seen() for post in self._chat.posts[channel]]

    async def direct_messages(self, who: str) -> Sequence[Message]:
        raise StoryError("no one is written to here")

    async def war_room(self) -> Sequence[Message]:
        raise StoryError("there are no threads here")

    async def traffic(self, lane: Lane, since: int = -1) -> Traffic:
        found = model.Lane(*lane)
        shares = {version: round(share, 4) for version, share in self._users.shares(found).items()}
        if since < 0:
            return Traffic(shares)
        requests, failures = self._users.counts(found)
        before = self._cursors[since][lane]
        return Traffic(shares, _gained(before[0], requests), _gained(before[1], failures))

    async def cursors(self) -> Mapping[Lane, int]:
        counts = {Lane(one.service, one.environment): self._users.counts(one) for one in self._users.rates}
        self._cursors.append(counts)
        return dict.fromkeys(counts, len(self._cursors) - 1)

    async def app_commands(self, application: str) -> tuple[list[str], list[str]]:
        if application != APPLICATION:
            raise StoryError(f"there is no application {application}")
        id_ = self._application_id
        return self._commands.names(id_), self._commands.names(id_, self._chat.guild_id)

    # ---- what goes wrong ----

    async def errors(self, lane: Lane, version: str, share: float) -> None:
        self._users.errors[model.Lane(*lane), version] = share

    async def sick_instance(self, lane: Lane, version: str, instances: int, share: float) -> None:
        self._users.sicken(model.Lane(*lane), version, instances, share)

    async def latency(self, lane: Lane, version: str, seconds: float) -> None:
        self._users.latencies[model.Lane(*lane), version] = seconds

    async def crash(self, lane: Lane, version: str) -> None:
        found = model.Lane(*lane)
        digest = self._target.digest(found, version)
        if digest is None:
            raise StoryError(f"{version} does not run in {lane}")
        self._target.crash(found, digest)

    async def kill_bot(self, moment: str = "") -> None:
        if moment:
            self._fatal = moment
        else:
            await self._killed()

    async def database_away(self, seconds: float) -> None:
        slipway = self._running()

        async def away() -> None:
            slipway.database.away = True
            await asyncio.sleep(seconds)
            slipway.database.away = False

        self._background(away())
        await asyncio.sleep(0)

    async def discord_away(self, seconds: float) -> None:
        bot = self._chat.bot
        self._announcer.away_until = virtual_loop().time() + seconds
        self._chat.bot = None

        async def back() -> None:
            await asyncio.sleep(seconds)
            self._chat.bot = bot

        self._background(back())

    async def target_away(self, lane: Lane, seconds: float) -> None:
        self._target.leave(model.Lane(*lane), seconds)

    async def abort(self, lane: Lane, reason: str) -> None:
        await self._target.abort(model.Lane(*lane), "oncall", reason)

    async def refuse_direct_messages(self, who: str) -> None:
        raise StoryError("no one is written to here")

    async def manifest(self, application: str, version: str, file: str) -> None:
        shutil.copy(CATALOG / "manifests" / file, self._manifests / f"{application}-{version}.json")

    # ---- what Slipway recorded ----

    async def catch_up(self) -> None:
        """The audit log, read past the product."""
        for row in await self._query("SELECT * FROM audit WHERE id > $1 ORDER BY id", self._audited):
            self._audited = row["id"]
            moved = f" [{row['to_phase']}]" if row["to_phase"] != row["from_phase"] else ""
            lane = f"{row['service']}/{row['environment']}"
            by = row["actor"] if row["rollout_id"] is not None else f"{row['actor']} ({row['what']})"
            at = (row["at"] - EPOCH).total_seconds()
            self._record.recorded(at, "audit", f"{lane} {by}: {plain(row['why'])}{moved}")

    async def _newest_audit(self) -> int:
        rows = await self._query("SELECT max(id) AS id FROM audit")
        return int(rows[0]["id"] or 0)

    async def _query(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        if self._slipway is not None:
            # Over its one connection: beside another one, what it commits meanwhile would be seen or not by chance.
            async with self._slipway.database.past() as connection:
                return list(await connection.fetch(sql, *values))
        with virtual_loop().outside():
            connection = await asyncpg.connect(self._dsn)
            try:
                found: list[asyncpg.Record] = await connection.fetch(sql, *values)
                return found
            finally:
                await connection.close()

    def _tell(self, who: str, what: str) -> None:
        self._record.say(who, what)

    # ---- processes ----

    @property
    def _application_id(self) -> int:
        return int(self._catalog.applications[APPLICATION].id)

    def _running(self) -> VirtualSlipway:
        if self._slipway is None:
            raise StoryError("the bot is not running")
        return self._slipway

    def _start(self) -> None:
        self._slipway = VirtualSlipway(
            self._dsn,
            self._catalog,
            target=self._target,
            users=self._users,
            commands=self._commands,
            announcer=self._announcer,
            probe=self._probe,
        )
        self._chat.bot = self._slipway.bot
        self._slipway.start()

    async def _probe(self, when: str, what: str) -> None:
        """Awaited before and after every effect: where a kill was ordered, nothing goes on from here."""
        if when == self._fatal and what.startswith("set_desired:"):
            self._fatal = ""
            self._background(self._killed(f"right {when} it gives an order"))
            await asyncio.Event().wait()

    async def _killed(self, when: str = "") -> None:
        slipway, self._slipway, self._chat.bot = self._running(), None, None
        self._tell("bot", f"is killed {when}".rstrip())
        await slipway.kill()

        async def again() -> None:
            await asyncio.sleep(RESTART_S)
            self._start()
            self._tell("bot", "runs again")

        self._background(again())

    def _background(self, what: Any) -> None:
        task = asyncio.ensure_future(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_stable(self) -> None:
        """What ran before Slipway came."""
        releases = make_releases(lambda: self._catalog)
        for one in LANES:
            lane = model.Lane(one.service, one.environment)
            known = await releases.releases(one.service, one.environment)
            stable = next(release for release in known if release.version == STABLE)
            self._target.dies |= {release.digest for release in known if release.version in _DYING}
            await self._target.apply(lane, Desired(1, stable))
            await self._target.observe(lane)
        await asyncio.sleep(START_S)
        for one in LANES:
            await self._target.observe(model.Lane(one.service, one.environment))


def _gained(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {version: count - before.get(version, 0) for version, count in now.items()}

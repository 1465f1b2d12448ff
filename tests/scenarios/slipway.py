"""One Slipway process in virtual time: the product's own engine, worker, cogs and texts on faked outsides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.composition.adapters import make_releases
from bot.composition.appcommands import AppCommands
from bot.domain.config import Catalog
from bot.domain.records import Active
from bot.engine.api import RolloutView
from bot.engine.effects.outbox import OutboxLimits
from bot.engine.loops.worker import LoopIntervals, Worker
from bot.engine.service import Engine
from bot.ports.data_plane.targets import DeployTarget
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, Notice
from bot.ui.cards.card import draw
from bot.ui.interactions.responder import HealthLine, Responder
from bot.ui.notices import NoticeText, alert_words, words
from cogs import COGS
from demo.stories.transcript import plain
from tests.fakes.books import FakeLimiter
from tests.scenarios.chat import ROLES, Chat, ChatBot, readable
from tests.scenarios.lanes import VirtualChecker, VirtualProbe, VirtualTarget, VirtualUsers
from tests.scenarios.virtual_time import VirtualDatabase
from tests.support.virtual_time import VirtualClock, virtual_loop

# One order at a time, and rare looks where a wake-up comes anyway: fewer statements, the same order of things.
PACE = LoopIntervals(
    orders_s=0.5,
    messages_s=2.0,
    timers_s=1.0,
    numbers_s=5.0,
    ticks_s=0.5,
    gauge_s=3600.0,
    lead_s=5.0,
    orders=OutboxLimits(lease_s=2.5, renew_s=0.8),
    messages=OutboxLimits(lease_s=2.5, renew_s=0.8, at_once=1),
)
POST_S = 0.05


class ChatAnnouncer:
    """Implements `ports.Announcer` with the product's own texts. While Discord is away, raises `Unreachable`."""

    def __init__(self, chat: Chat, tell: Callable[[str, str], None], catalog: Catalog) -> None:
        self._chat = chat
        self._tell = tell
        self._catalog = catalog
        self._posted: set[str] = set()
        self._shown: dict[int, int] = {}
        self.view: Callable[[int], Any] | None = None
        self.away_until = 0.0

    async def draw_card(self, rollout_id: int) -> None:
        seen = await self._seen(rollout_id)
        self._chat.put_card(rollout_id, draw(seen, VirtualClock().now()).view)

    async def refresh(self, active: Sequence[Active]) -> None:
        for one in active:
            if one.judged and self._shown.get(one.id) != one.version:
                self._shown[one.id] = one.version
                await self.draw_card(one.id)

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None:
        """The thread's lines are the audit log's sentences, which the transcript has."""
        await self._reach()

    async def notify(self, notice: Notice) -> None:
        seen = await self._seen(notice.rollout_id)
        guild = self._catalog.guilds[seen.rollout.guild_id]
        named = notice.mention_roles or ((guild.oncall_role,) if notice.what == "halted" else ())
        for post in words(notice, seen, [ROLES[guild.roles[name]] for name in named], ""):
            self._post(post)

    async def alert(self, alert: Announcement) -> None:
        await self._reach()
        guild = self._catalog.guilds[alert.guild_id]
        self._post(alert_words(alert, [ROLES[guild.roles[name]] for name in alert.mention_roles]))

    async def direct(self, message: Announcement) -> None:
        """No scenario has a schedule, so no one is written to."""
        raise AssertionError(message)

    def _post(self, post: NoticeText) -> None:
        if post.nonce in self._posted:
            return
        self._posted.add(post.nonce)
        text = post.spelled_out().content
        self._chat.post(post.channel, text, post.roles, post.users)
        shown = [line for line in readable(text).splitlines() if not line.startswith("-# ")]
        self._tell(f"#{post.channel}", plain("\n".join(shown)))

    async def _seen(self, rollout_id: int) -> RolloutView:
        await self._reach()
        assert self.view is not None
        found: RolloutView = await self.view(rollout_id)
        return found

    async def _reach(self) -> None:
        await asyncio.sleep(POST_S)
        if virtual_loop().time() < self.away_until:
            raise Unreachable("Discord is away")


class VirtualSlipway:
    """A process: `start` it, `kill` it. What it knows beyond the database is lost with it."""

    def __init__(
        self,
        dsn: str,
        catalog: Catalog,
        *,
        target: VirtualTarget,
        users: VirtualUsers,
        commands: Any,
        announcer: ChatAnnouncer,
        probe: Callable[[str, str], Any],
    ) -> None:
        self.database = VirtualDatabase(dsn)
        store, clock, waker = PostgresStore(self.database), VirtualClock(), EventWaker()

        def current() -> Catalog:
            return catalog

        applications = AppCommands(current, self.database, commands, make_releases(current), "http://discord")
        targets: Mapping[str, DeployTarget] = applications.beside({"local": target})
        engine = Engine(
            store, current, targets=targets, releases=applications.releases, clock=clock, waker=waker
        )
        announcer.view = engine.view
        self.worker = Worker(
            store,
            current,
            targets=targets,
            releases=applications.releases,
            metrics={"router": users, "probe": VirtualProbe(target)},
            checker=VirtualChecker(),
            announcer=announcer,
            clock=clock,
            waker=waker,
            kept=engine.kept,
            probe=probe,
            intervals=PACE,
            commands=applications.sync(store, targets, clock),
        )
        service = applications.service(engine, store, targets, clock)
        responder = Responder(engine, current, FakeLimiter(), clock, _well, commands=service)
        self.bot = ChatBot(responder, [cog(responder) for cog in COGS])  # type: ignore[misc]
        self._applications = applications
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self.worker.run())

    async def kill(self) -> None:
        """Nothing that is under way goes on, and nothing is given back: leases stay as they are."""
        self.database.away = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._applications.target.close()
        await self.database.close()


async def _well() -> list[HealthLine]:
    return []

"""Composition root: constructors and one exit stack. The only module that names adapters and cogs."""

from __future__ import annotations

import asyncio
import base64
import functools
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import structlog
from aiohttp.web import Application

from bot.adapters.alerts.sources.receiver import Receiver
from bot.adapters.calendars.reader import IcsCalendars
from bot.adapters.commands.runner import CommandRunner
from bot.adapters.discord_members import DiscordMembers
from bot.adapters.embedded_postgres import EmbeddedPostgres
from bot.adapters.moved_clock import MovedClock
from bot.adapters.postgres.connection.clock import DatabaseClock
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.connection.schema import is_newest
from bot.adapters.postgres.connection.upgrading import upgraded
from bot.adapters.postgres.tokens import PostgresTokens
from bot.adapters.process_usage import ProcessUsage
from bot.adapters.redis import waker as redis
from bot.adapters.redis.limiter import BudgetLimiter
from bot.adapters.redis.waker import EventWaker
from bot.adapters.sources.github_commits import GithubComparison
from bot.adapters.sources.preconditions import GithubPreconditions
from bot.adapters.targets.checker import HttpChecker
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.jobs.target import commands_dir
from bot.adapters.targets.redacted import RedactedTargets
from bot.adapters.telemetry import Telemetry
from bot.catalog import CatalogReloader, Reloaded
from bot.composition import adapters, registry
from bot.composition.appcommands import TARGET, AppCommands
from bot.composition.bindings import Bindings, Routing
from bot.composition.client_metrics import ClientMetrics, CountedIdentifyBudget
from bot.composition.discord_messages import DiscordMessages
from bot.composition.health import HealthService, MetricSourceHealth
from bot.composition.self_monitoring import ProcessVitals, SelfMonitoring, StatementCounter
from bot.composition.tracing import stores
from bot.domain.config import Catalog
from bot.domain.formatting import with_times
from bot.engine.effects.outbox import Probe, no_probe
from bot.engine.loops.lease import GATEWAY, Lease, process_name
from bot.engine.loops.worker import LoopIntervals, Role, Worker
from bot.engine.requests.calibration import plan_advice
from bot.engine.service import Engine
from bot.engine.tasks import AwaitedCancelled, own_cancellation_only
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.incidents.regressions import Regressions
from bot.engine.watch.incidents.service import Incidents
from bot.engine.watch.oncall.rota import advice as gap_advice
from bot.engine.watch.presence import KnownPresences, PresenceLoop
from bot.ports.coordination import Clock, Waker
from bot.ports.errors import Unreachable
from bot.ports.store import Store
from bot.ports.watch.regressions import RegressionTracker
from bot.redaction import Redactor
from bot.settings import Settings
from bot.ui.gateway.client import SlipwayBot, point_at
from bot.ui.gateway.supervisor import run_supervised
from bot.ui.interactions.responder import Responder
from bot.web.api.dependencies import ApiDependencies
from bot.web.app import Admin, create_app, serve
from cogs import COGS

_log = structlog.get_logger(__name__)

_DATABASE_TRY_S = 1.0
_PART_AGAIN_S = 1.0
# After this long another process takes over the gateway of one that died.
_GATEWAY_S = 1.5


async def run(
    settings: Settings,
    *,
    role: Role = "all",
    redact: Redactor | None = None,
    probe: Probe = no_probe,
    intervals: LoopIntervals | None = None,
) -> None:
    """Run until SIGTERM or SIGINT.

    redact: of the logs; it learns what the catalog takes from its environment. probe: awaited before and after every
    effect. intervals: the worker's. Raises `UserError` for what a person must fix: an invalid catalog, a token that
    Discord rejects.
    """
    async with AsyncExitStack() as stack:
        slipway = await _assemble(
            settings, stack, role, redact=redact or Redactor(), probe=probe, intervals=intervals
        )
        collect_seldom()
        await slipway.until_stopped()


def collect_seldom() -> None:
    """Run the garbage collector less often. A crowd of presses creates many objects that live a second or two; with the
    usual thresholds, much time goes into scanning them, and all long-lived objects, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class _Slipway:
    """The assembled program. It runs until the first of its `parts` ends."""

    def __init__(
        self,
        parts: Sequence[Callable[[], Coroutine[Any, Any, None]]],
        reload: Callable[[], Awaitable[Reloaded]],
    ) -> None:
        self._parts, self._reload = parts, reload

    async def until_stopped(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, stop.set)
        reloads: set[asyncio.Future[Reloaded]] = set()

        def reload() -> None:
            task = asyncio.ensure_future(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        tasks = {asyncio.create_task(_kept_running(part)) for part in self._parts}
        tasks |= {asyncio.create_task(_waited(stop))}
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


async def _kept_running(part: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `part` to its end, once more whenever something that it awaited was cancelled."""
    while True:
        try:
            with own_cancellation_only():
                return await part()
        except AwaitedCancelled:
            _log.exception("part_cancelled", part=getattr(part, "__qualname__", ""))
        await asyncio.sleep(_PART_AGAIN_S)


async def _waited(event: asyncio.Event) -> None:
    await event.wait()


async def _assemble(
    settings: Settings,
    stack: AsyncExitStack,
    role: Role,
    *,
    redact: Redactor,
    probe: Probe,
    intervals: LoopIntervals | None,
) -> _Slipway:
    telemetry, speaks, afar = Telemetry(), role in ("all", "gateway"), role == "location"
    holder = CatalogReloader(
        settings.config_dir,
        registry.KINDS,
        loaded=lambda c: redact.hide(secret.reveal() for secret in c.secrets),
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    dsn = settings.database.dsn or (await stack.enter_async_context(EmbeddedPostgres(settings.data_dir))).dsn
    pools, statements = await _pools(dsn, settings, telemetry, stack)
    clock, following = _clocks(pools[1], settings)
    (people, store), traces = stores(pools, settings, stack, clock, redact=redact, telemetry=telemetry)
    # No limit: what hangs in one lane must not make the probes of others wait.
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    waker = await stack.enter_async_context(EventWaker(settings.redis.dsn))
    limiter = BudgetLimiter(settings.redis.dsn, refused=telemetry.rate_limited)
    stack.push_async_callback(limiter.close)

    def current() -> Catalog:
        return holder.current

    configured = adapters.make_targets(holder.current, settings.data_dir, start=not afar)
    metrics = adapters.make_metrics(current, configured, session)
    commands = AppCommands(
        current, pools[1], session, adapters.make_releases(current), settings.discord.api_base
    )
    stack.push_async_callback(commands.target.close)
    targets, bound = _targets(current, configured, commands, session, settings)
    routing = Routing(current, configured, bound, store.rollouts)
    token = settings.discord.token.get_secret_value() if settings.discord.token else ""
    members = DiscordMembers(session, token, people.notes, settings.discord.api_base or "")
    engine = Engine(
        people,
        current,
        targets=targets,
        releases=commands.releases,
        clock=clock,
        waker=waker,
        bound=bound,
        preconditions=GithubPreconditions(),
        changes=GithubComparison(),
        members=members,
    )
    service = commands.service(engine, people, targets, clock)
    alerts, incidents, regressions = _alerts(
        store,
        current,
        following,
        waker,
        engine,
        telemetry=telemetry,
        tracker=adapters.make_tracker(current, session),
    )
    messages = DiscordMessages(
        engine, alerts, incidents, store, catalog=current, clock=clock, following=following
    )
    stack.push_async_callback(messages.close)
    gateway = Lease(people.housekeeping, GATEWAY, process_name(), _GATEWAY_S, strict=False)
    checks = await stack.enter_async_context(
        adapters.open_checks(current, configured, KnownPresences(store.notes, clock))
    )
    worker = Worker(
        store,
        current,
        targets=targets,
        releases=commands.releases,
        metrics=metrics,
        checker=HttpChecker(session),
        announcer=messages.announcer,
        clock=clock,
        waker=waker,
        meter=telemetry,
        kept=engine.kept,
        probe=probe,
        intervals=intervals,
        gateway=gateway,
        watch=commands.watch(store, targets, clock, messages.announcer).once,
        commands=commands.sync(store, targets, clock),
        runner=CommandRunner(
            commands_dir(settings.data_dir) / "runs",
            adapters.Given(current),
            lambda: (secret.reveal() for secret in current().secrets),
        ),
        changes=GithubComparison(),
        checks=checks,
        alerts=alerts,
        alert_cards=messages.alert_cards.once,
        undelivered=alerts.undelivered,
        incidents=incidents,
        incident_cards=messages.incident_cards.once,
        regressions=regressions,
        sinks=Sinks(lambda: current().sinks, adapters.make_sinks(current, session)),
        bound=bound,
        crowded=lambda: responder.crowded,
        members=members,
        calendars=IcsCalendars(),
        location=settings.location,
        presences=PresenceLoop(
            lambda users: messages.connection.presences(current().guilds, users),
            store.notes,
            lambda: adapters.watched_bots(current()),
            clock,
        ),
    )
    health = HealthService(
        connection=messages.connection,
        ping=people.housekeeping.ping,
        redis=_redis(settings),
        # A location reaches neither targets nor metric sources, and need not.
        targets={} if afar else configured,
        telemetry=telemetry,
        sources=MetricSourceHealth(current, targets, {} if afar else metrics),
        late=worker.rounds.late,
        starting=lambda: worker.starting,
        untold=lambda: worker.untold,
        speaks=lambda: speaks and not gateway.elsewhere,
    )
    responder = Responder(
        engine,
        current,
        limiter,
        clock,
        health,
        telemetry.interaction,
        service,
        alerts,
        incidents,
        draw=messages.evidence,
        draw_alert=messages.alert_charts,
        lane_charts=messages.lane_charts,
        checks=checks,
        chart=messages.reports,
        members=members,
    )

    async def reload() -> Reloaded:
        done = await _reloaded(holder, telemetry)
        if done.changed and not afar:
            await routing.reload()
            await messages.connection.resync()
            done = replace(done, advice=await _advice(store, engine, current(), clock))
        return done

    @functools.cache
    def ready() -> asyncio.Task[None]:
        """The same wait for everybody who must have the schema, and the server's time."""
        return asyncio.create_task(_prepared(dsn, clock))

    api = functools.partial(
        _api,
        ApiDependencies(
            engine,
            incidents,
            current,
            PostgresTokens(pools[0]),
            limiter,
            clock,
            members,
            ready=lambda: ready().done(),
            observed=telemetry.interaction,
        ),
    )
    web = await serve(
        create_app(
            health.probes,
            telemetry,
            Admin(_admin_token(settings), reload),
            api,
            hooks=adapters.callbacks(current, settings.data_dir),
            alerts=Receiver(
                adapters.make_alert_sources(current, redact),
                alerts,
                counted=telemetry.delivery,
                issues=regressions.closed,
            ),
        ),
        settings.web.host,
        settings.web.port,
    )
    stack.push_async_callback(web.cleanup)
    point_at(settings.discord.api_base, settings.discord.gateway_url)
    budget = CountedIdentifyBudget(store.notes, clock, _bot_of(token), settings.data_dir, telemetry=telemetry)
    watch = ClientMetrics(telemetry)
    own = SelfMonitoring(
        settings,
        role,
        ProcessVitals(
            clock=clock,
            gateway=lambda: messages.connection.connected if speaks and not gateway.elsewhere else None,
            database=store.housekeeping,
            statements=statements,
            redis=_redis(settings),
            late=worker.rounds.late,
            usage=ProcessUsage(settings.memory.limit_mb),
        ),
        alerts=alerts,
        sinks=worker.sinks,
        session=session,
        telemetry=telemetry,
        waker=waker,
        rounds=worker.rounds,
        ready=ready,
    )

    async def work() -> None:
        await ready()
        await _followed(routing, role)
        await _beside(_advice(store, engine, current(), clock), worker.run(role))

    def connected() -> Coroutine[Any, Any, None]:
        return run_supervised(
            lambda: watch.over(
                SlipwayBot(responder, COGS, store.notes, budget, presences=settings.discord.presences)
            ),
            token,
            messages.connection,
            budget,
        )

    return _Slipway(
        (
            *(work, routing.follow, health.watch, clock.run, *own.parts, *traces),
            *((lambda: _speak(ready, gateway, connected),) if speaks else ()),
        ),
        reload,
    )


def _alerts(
    store: Store,
    current: Callable[[], Catalog],
    clock: Clock,
    waker: Waker,
    engine: Engine,
    *,
    telemetry: Telemetry,
    tracker: Callable[[], RegressionTracker | None],
) -> tuple[Alerts, Incidents, Regressions]:
    """Alerts, the incidents that their war rooms open, and the issues about releases that were rolled back."""
    reached = engine.on_call.reached
    incidents = Incidents(store, current, clock=clock, waker=waker, on_call=reached)
    alerts = Alerts(
        store,
        current,
        clock=clock,
        waker=waker,
        roll_back=engine.roll_back,
        on_call=reached,
        incidents=incidents.opened_by,
        meter=telemetry,
    )
    return alerts, incidents, Regressions(store, current, tracker, clock, incidents.tell)


async def _reloaded(holder: CatalogReloader, telemetry: Telemetry) -> Reloaded:
    done = await asyncio.to_thread(holder.reload)
    telemetry.catalog_reload("refused" if done.errors else "changed" if done.changed else "unchanged")
    (_log.warning if done.errors else _log.info)("catalog_reload", result=done.sentence)
    return done


def _clocks(database: Database, settings: Settings) -> tuple[DatabaseClock, Clock]:
    """The clock of everything, and the one by which alerts are followed up: a demo moves it."""
    clock = DatabaseClock(database)
    return clock, MovedClock(clock, settings.clock_file) if settings.clock_file else clock


async def _advice(store: Store, engine: Engine, catalog: Catalog, clock: Clock) -> tuple[str, ...]:
    """What a catalog that was loaded could do better: for the traffic of its lanes, and when no one is on call.

    In the log as well.
    """
    try:
        advice = await plan_advice(store, catalog, clock.now())
        gaps = gap_advice(await engine.on_call.rota())
        advice += tuple(with_times(each, lambda at: f"{at:%Y-%m-%d %H:%M} UTC") for each in gaps)
    except Unreachable:
        return ()  # the catalog is in use all the same
    for sentence in advice:
        _log.warning("catalog_advice", advice=sentence)
    return advice


async def _followed(routing: Routing, role: Role) -> None:
    """Apply what was edited while Slipway was away. A location reaches no target."""
    if role != "location":
        await routing.begin()


async def _beside(task: Awaitable[object], main: Awaitable[None]) -> None:
    """Wait for `main`, with `task` beside it."""
    beside = asyncio.ensure_future(task)
    try:
        await main
    finally:
        beside.cancel()


def _api(parts: ApiDependencies) -> Application:
    from bot.web.api.app import create_api  # 2.4 MiB, for those who use it

    return create_api(parts)


def _admin_token(settings: Settings) -> str | None:
    return settings.web.admin_token.get_secret_value() if settings.web.admin_token else None


def _targets(
    current: Callable[[], Catalog],
    configured: adapters.Targets,
    commands: AppCommands,
    session: aiohttp.ClientSession,
    settings: Settings,
) -> tuple[RedactedTargets, Bindings]:
    """Targets as the engine has them: by the names of the catalog, and by what rollouts were bound to."""
    given = adapters.Given(current)
    targets = RedactedTargets(
        commands.beside(configured), lambda lane: adapters.release_secrets(current(), lane), given
    )
    bound = Bindings(
        current,
        configured,
        TargetContext(settings.data_dir),
        session,
        environ=given,
        around=targets.around,
        beside={TARGET: commands.target},
    )
    return targets, bound


async def _pools(
    dsn: str,
    settings: Settings,
    telemetry: Telemetry,
    stack: AsyncExitStack,
) -> tuple[tuple[Database, Database], StatementCounter]:
    """One pool for people and one for the rest: a thousand rollouts must not keep a press waiting for a connection."""
    statements = StatementCounter(telemetry.query)
    half = settings.database.pool_size // 2
    sizes = (half, settings.database.pool_size - half)
    pools = tuple(Database(dsn, size=size, observed=statements) for size in sizes)
    for pool in pools:
        await stack.enter_async_context(pool)
    telemetry.watch_database_pool(lambda: _added(pool.connections for pool in pools))
    return (pools[0], pools[1]), statements


async def _speak(
    ready: Callable[[], Awaitable[None]], gateway: Lease, connected: Callable[[], Awaitable[None]]
) -> None:
    """Seek the gateway's lease, and be connected to Discord while it is held."""
    await ready()
    seeking = asyncio.create_task(gateway.run(), name="lease:gateway")
    try:
        await gateway.while_held(connected)
    finally:
        seeking.cancel()
        await asyncio.gather(seeking, return_exceptions=True)


async def _prepared(dsn: str, clock: DatabaseClock) -> None:
    """Whether the schema is current and the time is known. Waits for an unavailable database."""
    await _migrated(dsn)
    await clock.known()


async def _migrated(dsn: str) -> None:
    """Whether the schema is current. Waits for an unavailable database."""
    told = False
    while True:
        try:
            return await _migrate(dsn)
        except Unreachable as error:
            if not told:
                _log.warning("database_unavailable", why=str(error))
            told = True
            await asyncio.sleep(_DATABASE_TRY_S)


async def _migrate(dsn: str) -> None:
    if not await is_newest(dsn):
        await upgraded(dsn)


def _added(pools: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Used and idle connections of all pools together."""
    in_use, idle = zip(*pools, strict=True)
    return sum(in_use), sum(idle)


def _redis(settings: Settings) -> Callable[[], asyncio.Future[str]]:
    """State of Redis for `/health`. Everything works without it, so its absence is only a degradation."""
    url = settings.redis.dsn

    async def look() -> str:
        if url is None:
            return "memory: not configured; limits and wake-ups are local to this process"
        from redis.exceptions import RedisError  # 7 MiB, for those who use it

        try:
            return await redis.ping(url)
        except (RedisError, OSError, TimeoutError):
            return "degraded: configured but unavailable; limits and wake-ups are local to this process"

    return lambda: asyncio.ensure_future(look())


def _bot_of(token: str) -> str:
    """The bot's id, which is the start of the token: IDENTIFYs are counted per bot. Never the token itself."""
    first = token.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (ValueError, UnicodeDecodeError):
        return "bot"

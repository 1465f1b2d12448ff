"""Every Prometheus name and label of Slipway in one class; docs/reference/metrics.md is made from it.

Labels are bounded: values come from Slipway's enumerations, and a label that could grow becomes `other` after its
hundredth value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import aiohttp
from prometheus_client import (
    CollectorRegistry,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot import __version__
from bot.adapters.telemetry.metrics import SLOW
from bot.adapters.telemetry.watch_metrics import WatchMetrics

PRESS = "press:"


class Telemetry(WatchMetrics):
    """Slipway's metrics. Nothing here can fail or block; times are in seconds.

    registry: by default a new one, with the process metrics in it.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry or CollectorRegistry())
        if registry is None:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
        self._describe("info", "gauge", ("version",), "The running version.")
        Info("slipway", "The running version.", registry=self.registry).info({"version": __version__})
        self._people()
        self._rollouts()
        self._discord()
        self._stores()

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    # ---- people --------------------------------------------------------------------------------------------

    def interaction(self, command: str, outcome: str, seconds: float) -> None:
        """Count an answered command or press: `ok`, `repeated`, `refused`, `unreachable`, `error`, `lost`.

        `command` of a button's press begins with `press:`.
        """
        name = self._bound("command", command)
        if command.startswith(PRESS):
            self._press_seconds.observe(seconds)
        self._interactions.labels(name, self._bound("outcome", outcome)).inc()
        self._interaction_seconds.labels(name).observe(seconds)

    def rate_limited(self, category: str) -> None:
        self._rate_limited.labels(self._bound("category", category)).inc()

    def _people(self) -> None:
        self._interactions = self._counter(
            "interactions",
            "Commands, presses and requests of the API (`http:…`) answered: `ok`, `repeated`, `refused`, "
            "`unreachable`, `error`, `lost`.",
            "command",
            "outcome",
        )
        self._interaction_seconds = self._histogram(
            "interaction_seconds", "From arrival to the answer's delivery.", "command"
        )
        self._press_seconds = self._histogram("press_seconds", "Button presses: from arrival to the answer.")
        self._rate_limited = self._counter(
            "rate_limit_refusals", "Requests above the limit of a person or token.", "category"
        )

    # ---- rollouts ------------------------------------------------------------------------------------------

    def rollouts(self, by_phase: Mapping[str, int]) -> None:
        """Set the number of active rollouts by phase."""
        for phase in self._phases - set(by_phase):
            self._active.labels(phase).set(0)
        for phase, count in by_phase.items():
            self._active.labels(phase).set(count)
        self._phases |= set(by_phase)

    def rollout_ended(self, phase: str) -> None:
        self._ended.labels(self._bound("phase", phase)).inc()

    def effect(self, kind: str, outcome: str, seconds: float) -> None:
        """Count an attempt of an effect: `done`, `retry`, `failed`, `stale`."""
        self._effects.labels(self._bound("kind", kind), self._bound("effect_outcome", outcome)).inc()
        self._effect_seconds.labels(self._bound("kind", kind)).observe(seconds)

    def effect_queue(self, depth: int, oldest_s: float) -> None:
        """Set the number of pending effects, and the age of the oldest."""
        self._queue_depth.set(depth)
        self._queue_age.set(oldest_s)

    def verdict(self, outcome: str) -> None:
        """Count the verdict of one tick: PASS, FAIL, INSUFFICIENT, ERROR."""
        self._verdicts.labels(self._bound("verdict", outcome)).inc()

    def rolled_back(self, seconds: float) -> None:
        """Record the time from the order to roll back until the candidate was observed without traffic."""
        self._rollback_seconds.observe(seconds)

    def tick(self, late_s: float) -> None:
        """Record a judge tick that began `late_s` after it was due."""
        self._tick_lateness.observe(max(0.0, late_s))

    def catalog_reload(self, outcome: str) -> None:
        """Count a reload: `changed`, `unchanged` or `refused`."""
        self._reloads.labels(self._bound("reload", outcome)).inc()

    def _rollouts(self) -> None:
        self._phases: set[str] = set()
        self._active = self._gauge("rollouts", "Active rollouts by phase.", "phase")
        self._ended = self._counter("rollouts_ended", "Rollouts that ended, by final phase.", "phase")
        self._effects = self._counter(
            "effects", "Attempts of effects, by kind and outcome.", "kind", "outcome"
        )
        self._effect_seconds = self._histogram("effect_seconds", "Time to carry out an effect.", "kind")
        self._queue_depth = self._gauge("effects_pending", "Effects waiting to be done.")
        self._queue_age = self._gauge("effects_oldest_seconds", "Age of the oldest pending effect.")
        self._verdicts = self._counter("verdicts", "Judge ticks by verdict.", "verdict")
        self._rollback_seconds = self._histogram(
            "rollback_seconds", "From the order until the candidate has no traffic.", buckets=SLOW
        )
        self._tick_lateness = self._histogram("tick_lateness_seconds", "How late judge ticks began.")
        self._reloads = self._counter(
            "catalog_reloads", "Catalog reloads: `changed`, `unchanged`, `refused`.", "outcome"
        )

    # ---- Discord -------------------------------------------------------------------------------------------

    def gateway(self, connected: bool, latency_s: float | None = None) -> None:
        """Set the state of the gateway connection; `latency_s`: of the last heartbeat, None before the first."""
        self._gateway_up.set(connected)
        if latency_s is not None:
            self._gateway_latency.set(latency_s)

    def reconnected(self) -> None:
        self._reconnects.inc()

    def identified(self) -> None:
        """Count an IDENTIFY; Discord allows 1,000 a day."""
        self._identifies.inc()

    def rest_call(self, status: int, seconds: float) -> None:
        """Count a REST call to Discord; `status` is 0 for no answer."""
        self._rest.labels(str(status) if 100 <= status < 600 else "none").inc()
        self._rest_seconds.observe(seconds)

    def _discord(self) -> None:
        self._gateway_up = self._gauge("gateway_connected", "1 while interactions can arrive.")
        self._gateway_latency = self._gauge("gateway_latency_seconds", "Latency of the last heartbeat.")
        self._reconnects = self._counter("gateway_reconnects", "Connections to the gateway after the first.")
        self._identifies = self._counter("gateway_identifies", "IDENTIFYs; Discord allows 1,000 a day.")
        self._rest = self._counter(
            "rest_calls", "REST calls to Discord by status; `none`: no answer.", "status"
        )
        self._rest_seconds = self._histogram("rest_seconds", "Time to Discord's answer.")

    # ---- dependencies ---------------------------------------------------------------------------------

    def component(self, name: str, up: bool) -> None:
        """Set the result of the last probe of `/health`."""
        self._component.labels(self._bound("component", name)).set(up)

    def watch_database_pool(self, connections: Callable[[], tuple[int, int]]) -> None:
        """Measure a pool. `connections`: called at each scrape, returns the numbers in use and idle."""
        self._pool.labels("in_use").set_function(lambda: connections()[0])
        self._pool.labels("idle").set_function(lambda: connections()[1])

    def query(self, seconds: float, failed: bool = False) -> None:
        """Record a transaction or single statement."""
        self._query_seconds.observe(seconds)
        if failed:
            self._query_errors.inc()

    def redis(self, up: bool) -> None:
        """Set whether the configured Redis answers; not called without one."""
        self._redis_up.set(up)

    def process(self, late: int, memory: float | None) -> None:
        """Set how many loops have stalled, and the share of the memory limit; None without one."""
        self._late.set(late)
        self._memory.set(float("nan") if memory is None else memory)

    def heartbeat(self, outcome: str) -> None:
        """Count a beat: `sent`, `failed`, `withheld`."""
        self._heartbeats.labels(self._bound("heartbeat", outcome)).inc()

    def spans(self, outcome: str, count: int) -> None:
        """Count spans of rollouts: `sent`, `dropped`, `failed`."""
        self._spans.labels(self._bound("spans", outcome)).inc(count)

    def _stores(self) -> None:
        self._component = self._gauge(
            "component_up", "1 if the last probe of `/health` succeeded.", "component"
        )
        self._pool = self._gauge(
            "database_connections", "Connections of the pool: `in_use`, `idle`.", "state"
        )
        self._query_seconds = self._histogram("database_query_seconds", "Transactions and single statements.")
        self._query_errors = self._counter("database_errors", "Transactions and statements that failed.")
        self._redis_up = self._gauge("redis_up", "1 while the configured Redis answers; NaN without one.")
        self._redis_up.set(float("nan"))
        self._late = self._gauge("loops_late", "Loops that missed three rounds and ten seconds.")
        self._memory = self._gauge(
            "memory_used_ratio", "Memory in use as a share of the limit, 0 to 1; NaN without a limit."
        )
        self._memory.set(float("nan"))
        self._spans = self._counter(
            "spans",
            "Spans for the OTLP endpoint: `sent`, `dropped` (no room in the queue), `failed` (not taken in time).",
            "outcome",
        )
        self._heartbeats = self._counter(
            "heartbeats", "Beats to `SLIPWAY_HEARTBEAT_URL`: `sent`, `failed`, `withheld`.", "outcome"
        )


def rest_trace(telemetry: Telemetry) -> aiohttp.TraceConfig:
    """Counts an aiohttp client's calls as REST calls to Discord: `discord.Client(http_trace=…)`."""

    async def begin(session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.began = time.monotonic()

    async def end(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        # 101 is the gateway's websocket.
        if params.response.status != 101:
            telemetry.rest_call(params.response.status, time.monotonic() - context.began)

    async def fail(session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        telemetry.rest_call(0, time.monotonic() - context.began)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begin)
    trace.on_request_end.append(end)
    trace.on_request_exception.append(fail)
    return trace

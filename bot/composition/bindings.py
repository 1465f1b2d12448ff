"""Adapters of running rollouts, made from each one's binding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
import structlog
from pydantic import ValidationError

from bot import references
from bot.adapters.metrics.context import MetricContext
from bot.adapters.metrics.shared_answers import SharedAnswers
from bot.adapters.targets.context import TargetContext
from bot.adapters.typed_json import typed
from bot.composition import registry
from bot.composition.adapters import Targets
from bot.domain.config import Catalog, CheckConfig, ServedLane
from bot.domain.rollout.binding import AdapterBinding, LaneBinding
from bot.domain.rollout.model import Identity, Lane, Observed, Release
from bot.engine.tasks import own_cancellation_only
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.targets import CatalogTarget, DeployTarget
from bot.ports.errors import Unreachable
from bot.ports.store import RolloutStore

_log = structlog.get_logger(__name__)

_AGAIN_S = 2.0

T = TypeVar("T")
# Adapters by lane, each with the binding that it was made from.
Made = dict[Lane, tuple[LaneBinding, T]]


class Bindings:
    """Implements `bot.ports.data_plane.bindings.BoundAdapters`.

    `live`: the catalog's own targets, which serve whatever is bound as the catalog is now. `around` is laid around
    every target. `beside`: targets that are not made from settings, by name. `environ`: what references stand for.
    """

    def __init__(
        self,
        current: Callable[[], Catalog],
        live: Mapping[str, CatalogTarget],
        context: TargetContext,
        session: aiohttp.ClientSession,
        *,
        environ: Mapping[str, str],
        around: Callable[[Any], DeployTarget] = lambda target: target,
        beside: Mapping[str, DeployTarget] | None = None,
    ) -> None:
        self._current = current
        self._live = live
        self._context = context
        self._session = session
        self._environ = environ
        self._around = around
        self._beside = beside or {}
        self._targets: Made[CatalogTarget] = {}
        self._sources: Made[list[MetricSource]] = {}
        self._answers = SharedAnswers()

    def target(self, lane: Lane, binding: LaneBinding) -> DeployTarget:
        if binding.target.name in self._beside:
            return self._around(self._beside[binding.target.name])
        return self._around(self._target(lane, binding))

    def sources(self, lane: Lane, binding: LaneBinding) -> Sequence[MetricSource]:
        def make() -> list[MetricSource]:
            targets = OneTarget(lambda: self._target(lane, binding))
            context = MetricContext(targets, self._session, self._answers)
            return [self._source(source, context) for source in binding.metrics]

        return _made(self._sources, lane, binding, make)

    def check(self, lane: Lane, binding: LaneBinding, name: str) -> CheckConfig:
        bound = next((check for check in binding.checks if check.name == name), None)
        if bound is None:
            raise Unreachable(f"this rollout is bound to no check {name}")
        settings = self.settings(bound, registry.KINDS.checks)
        return CheckConfig(name, settings, settings.timeout, settings.critical)

    def changed(self, release: Release) -> str:
        return references.changed(release.spec, self._environ)

    def served(self, binding: LaneBinding) -> ServedLane:
        """How the binding's target serves the lane. Raises `Unreachable`."""
        router = None
        if binding.router is not None:
            kind = str(binding.target.settings.get("kind"))
            router = self._read(binding.target, registry.KINDS.targets[kind].router, binding.router)
        limit = binding.latency_limit_s
        return ServedLane(binding.exclusive, router, (limit,) if limit is not None else ())

    def settings(self, bound: AdapterBinding, kinds: Mapping[str, Any]) -> Any:
        """The settings of an adapter as its kind reads them. Raises `Unreachable`."""
        kind = str(bound.settings.get("kind"))
        if kind not in kinds:
            raise Unreachable(f"{bound.name} is of the kind {kind}, which this Slipway does not have")
        return self._read(bound, kinds[kind].settings, bound.settings)

    def is_current(self, lane: Lane, binding: LaneBinding) -> bool:
        """Whether the binding has the catalog's present target and router."""
        config = self._current().lanes.get(lane)
        now = config.bound if config else None
        return now is not None and (now.target, now.router, now.exclusive) == (
            binding.target,
            binding.router,
            binding.exclusive,
        )

    def _target(self, lane: Lane, binding: LaneBinding) -> CatalogTarget:
        name = binding.target.name
        if name in self._live and (not binding.target.settings or self.is_current(lane, binding)):
            return self._live[name]

        def make() -> CatalogTarget:
            settings = self.settings(binding.target, registry.KINDS.targets)
            lanes = {lane: self.served(binding)}
            made: CatalogTarget = registry.KINDS.targets[settings.kind].make(settings, lanes, self._context)
            return made

        return _made(self._targets, lane, binding, make)

    def _source(self, bound: AdapterBinding, context: MetricContext) -> MetricSource:
        settings = self.settings(bound, registry.KINDS.metrics)
        made: MetricSource = registry.KINDS.metrics[settings.kind].make(bound.name, settings, context)
        return made

    def _read(self, bound: AdapterBinding, model: Any, written: Any) -> Any:
        try:
            filled = references.expanded(written, self._environ)
            return typed(model).validate_python(filled, context={"folder": bound.folder or None})
        except references.UnsetVariableError as error:
            raise Unreachable(f"{bound.name} cannot be used: {error}") from None
        except ValidationError as error:
            # Without the values, which may be secret.
            _log.error("binding_not_read", adapter=bound.name, mistakes=error.error_count())
            raise Unreachable(f"{bound.name} cannot be used as this rollout was bound to it") from None


class OneTarget:
    """Implements `LaneTargets` for the one target of a binding."""

    def __init__(self, target: Callable[[], CatalogTarget]) -> None:
        self._target = target

    async def observe(self, lane: Lane) -> Observed:
        return await self._target().observe(lane)

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        return await self._target().counts(lane)

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        return await self._target().addresses(lane, digest)


class Routing:
    """Sends lanes' settings to targets: the catalog's, or the binding's while a rollout is active."""

    def __init__(
        self,
        current: Callable[[], Catalog],
        targets: Targets,
        bindings: Bindings,
        rollouts: RolloutStore,
    ) -> None:
        self._current = current
        self._targets = targets
        self._bindings = bindings
        self._rollouts = rollouts
        self._bound: dict[Identity, LaneBinding | None] = {}
        self._due = asyncio.Event()

    async def reload(self) -> None:
        """Follow the catalog; lanes with a rollout that is bound otherwise keep what they have until it ends.

        Raises as `CatalogTarget.reload` does.
        """
        held = await self._held()
        await self._targets.reload(self._current(), held)
        if held:
            self._due.set()

    async def begin(self) -> None:
        """Apply a catalog that was edited while Slipway was away."""
        if await self._held():
            self._due.set()

    async def follow(self) -> None:
        """Apply, until cancelled, changes of the catalog that waited for a rollout's end."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                with own_cancellation_only():
                    await self.reload()
            except Exception as error:
                _log.warning("targets_not_reloaded", why=str(error))
                self._due.set()
            await asyncio.sleep(_AGAIN_S)

    async def _held(self) -> dict[Lane, tuple[str, ServedLane]]:
        """Lanes that an active rollout keeps from following the catalog: on which target, and how it serves them."""
        held, actives = {}, await self._rollouts.active()
        # A rollout's binding never changes, so each is read once.
        self._bound = {
            active.identity: self._bound[active.identity]
            if active.identity in self._bound
            else await self._binding(active.id)
            for active in actives
        }
        for active in actives:
            binding = self._bound[active.identity]
            if (
                binding is None
                or not binding.target.settings
                or self._bindings.is_current(active.lane, binding)
            ):
                continue
            held[active.lane] = (binding.target.name, self._bindings.served(binding))
        return held

    async def _binding(self, rollout_id: int) -> LaneBinding | None:
        loaded = await self._rollouts.load(rollout_id)
        return loaded.rollout.binding if loaded else None


def _made(kept: Made[T], lane: Lane, binding: LaneBinding, make: Callable[[], T]) -> T:
    """What was made for the lane, made again when its binding is another one."""
    known = kept.get(lane)
    if known is None or known[0] != binding:
        known = kept[lane] = (binding, make())
    return known[1]

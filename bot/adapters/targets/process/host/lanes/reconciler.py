"""Reconciler of one lane: starts, routes, drains and stops releases until they match the desired state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bot.adapters.routers.counts import InstanceCounts
from bot.adapters.routers.weighted import Backend, Split
from bot.adapters.targets.process.host.lanes import logs
from bot.adapters.targets.process.host.lanes.counter_store import CounterStore
from bot.adapters.targets.process.host.lanes.instance import Instance, Record, Surroundings
from bot.adapters.targets.process.host.lanes.listener import Listener
from bot.adapters.targets.process.host.lanes.release_instances import ReleaseInstances
from bot.adapters.targets.process.host.lanes.traffic import Route, decide, named, wanted
from bot.adapters.targets.process.host.processes import Process
from bot.adapters.targets.process.host.store import StateStore
from bot.adapters.targets.process.spec import parse_spec
from bot.domain.rollout.model import Desired, Release, Running, RunState


class LaneReconciler:
    """Reconciler of one lane. `reconcile` is called on every change, and regularly; it never waits."""

    def __init__(self, around: Surroundings, store: StateStore, front: Listener) -> None:
        self._around = around
        self._store = store
        self._front = front
        self._book = CounterStore(around.lane, store)
        self._route = Route()
        self._groups: dict[str, ReleaseInstances] = {}

    def restore(
        self, state: Mapping[str, Any], desired: Desired | None, exclusive: bool, found: Mapping[str, Process]
    ) -> None:
        """Take over what an earlier host had started; `found`: processes by token."""
        self._route = Route(**state["route"])
        for digest, release in wanted(desired, exclusive=exclusive).items() if desired else ():
            records = [Record(**record) for record in state["instances"].get(digest, ())]
            self._group(release, exclusive, records).adopt(found)

    def reconcile(self, desired: Desired, exclusive: bool) -> None:
        should_run = wanted(desired, exclusive=exclusive)
        for digest in should_run:
            if digest in self._groups:
                self._groups[digest].keep()
        self._apply_route(desired, exclusive)
        for digest, group in self._groups.items():
            if digest not in should_run and (exclusive or not self._route.needs(digest)):
                group.retire(self._gone)
        if exclusive and any(digest not in should_run for digest in self._groups):
            return
        for digest, release in should_run.items():
            group = self._group(release, exclusive)
            if not group.retiring:
                group.start(again=self._around.restarts(digest))

    async def stop(self) -> None:
        """Stop every release, after its requests in flight."""
        self._front.route(Split())
        await asyncio.gather(*(group.drain_and_stop() for group in self._groups.values()))

    def suspect(self, digest: str) -> None:
        """Check the release's instances now, because a request found one unreachable."""
        if digest in self._groups:
            self._groups[digest].suspect()

    def rotate_logs(self) -> None:
        for _, instance in self._instances():
            instance.rotate_log()

    # ---- observed ----------------------------------------------------------------------------------------------

    def running(self, desired: Desired | None) -> tuple[Running, ...]:
        """Every release that runs or is desired."""
        found = [self._running(digest, group) for digest, group in self._groups.items()]
        for digest, release in (named(desired) if desired else {}).items():
            if digest not in self._groups:
                found.append(Running(digest, release.version, RunState.STOPPED, 0))
        return tuple(found)

    def counts(self) -> Iterator[tuple[str, str, int, InstanceCounts]]:
        """Rows of `(digest, version, instance, counts)` for what runs here or did recently."""
        return self._book.rows()

    def addresses(self) -> dict[str, dict[str, str]]:
        """Addresses of ready instances, by digest, then by a name that a restart changes."""
        found: dict[str, dict[str, str]] = {digest: {} for digest in self._groups}
        for digest, instance in self._instances():
            if instance.state is RunState.READY:
                found[digest][instance.name] = instance.address
        return found

    def ports(self) -> set[int]:
        return {instance.record.port for _, instance in self._instances()}

    def adopted(self) -> set[str]:
        """Tokens of the processes that `restore` took over."""
        return {instance.record.token for _, instance in self._instances() if instance.adopted}

    def to_json(self) -> dict[str, Any]:
        """State for `restore`."""
        instances: dict[str, list[Any]] = {digest: [] for digest in self._groups}
        for digest, instance in self._instances():
            instances[digest].append(instance.record.to_json())
        return {"route": asdict(self._route), "instances": instances}

    # ---- helpers -----------------------------------------------------------------------------------------

    def _apply_route(self, desired: Desired, exclusive: bool) -> None:
        now = Route() if exclusive else self._route
        usable = {digest for digest, group in self._groups.items() if self._usable(digest, group, now)}
        if exclusive:
            usable &= set(wanted(desired, exclusive=True))
        self._route = decide(desired, usable, now)
        self._front.route(
            Split(
                stable=self._backends(self._route.stable),
                candidate=self._backends(self._route.candidate),
                weight=self._route.weight,
                alone=desired.stable is None,
            )
        )

    def _usable(self, digest: str, group: ReleaseInstances, now: Route) -> bool:
        """Whether the release is ready, or serves while a missing instance restarts."""
        return group.ready or bool(now.needs(digest) and self._around.restarts(digest) and group.backends())

    def _backends(self, digest: str | None) -> tuple[Backend, ...]:
        group = self._groups.get(digest) if digest else None
        return group.backends() if group and not group.retiring else ()

    def _group(
        self, release: Release, exclusive: bool, records: list[Record] | None = None
    ) -> ReleaseInstances:
        group = self._groups.get(release.digest)
        if group is None:
            spec = parse_spec(release, exclusive=exclusive)
            group = self._groups[release.digest] = ReleaseInstances(
                self._around, release, spec, self._store, counts=self._book.of, records=records or ()
            )
        return group

    def _gone(self, digest: str) -> None:
        self._groups.pop(digest, None)
        self._book.forget(self._groups)
        logs.tidy(self._store.log(self._around.lane, "", "", 0).parent)
        self._around.changed()

    def _running(self, digest: str, group: ReleaseInstances) -> Running:
        serving = bool(group.backends()) and not group.retiring
        return group.running(self._route.share(digest) if serving else 0)

    def _instances(self) -> Iterator[tuple[str, Instance]]:
        for digest, group in self._groups.items():
            for member in group.members:
                yield digest, member.instance

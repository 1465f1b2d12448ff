"""One lane on its own HAProxy: its files, what is ordered through the runtime API, and what is read from it."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from bot.adapters.routers.haproxy import counting, splits
from bot.adapters.routers.haproxy.config import (
    EVIDENCE,
    FILE,
    MAP,
    OTHER,
    RUNS,
    HaproxyLimits,
    HaproxyListening,
    configuration,
    parse_runs,
    release_key,
    without_servers,
    written_for,
)
from bot.adapters.routers.haproxy.config import address as written_address
from bot.adapters.routers.haproxy.counting import Found, Tally
from bot.adapters.routers.haproxy.process import START, HaproxyProcess
from bot.adapters.routers.haproxy.runtime import entries, value
from bot.adapters.routers.haproxy.splits import Placed, Slot
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, RoutedLane, RouterCounts, Share, Split
from bot.ports.errors import TargetRefused, Unreachable

# Instances that cannot be connected to are left out until they can be.
CHECKED = "check inter 1s fastinter 500ms fall 2 rise 1"

# What an HAProxy that this one replaced had counted: the epoch, a colon, and the tallies.
CARRIED = "SLIPWAY_CARRIED"

# Of backends and of servers.
_STATISTICS, _SERVERS = "show stat -1 6 -1", "show servers state"
_RING, _FOUND = "show events ends", "show table found"
_ANSWERED, _WAITING = (f"show table {name} data.conn_cur gt 0" for name in ("answered", "waiting"))
_RELEASES, _SHOW_MAP = "show table releases", f"show map {MAP}"
_IN_MAINTENANCE = 1

Servers = dict[str, dict[str, str]]
Instances = tuple[tuple[str, int, int], ...]


class HaproxyLane:
    """`restore` or `listen`, then the rest; `remove` at last. folder: its own."""

    def __init__(self, folder: Path, program: Path, limits: HaproxyLimits) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.process = HaproxyProcess(folder, program)
        self.listening: HaproxyListening | None = None
        self._limits = limits
        self._runtime = self.process.runtime
        self._changing = asyncio.Lock()

    # ---- the process --------------------------------------------------------------------------------------

    async def restore(self) -> Lane:
        """Attach to the HAProxy that an earlier host left running, or start it again; its lane.

        Raises OSError, ValueError for files that are not complete, `Unreachable`.
        """
        self.listening = written_for((self.folder / FILE).read_text())
        before = (self.folder / FILE).read_text()
        now = configuration(self.listening, self._limits, {})
        if self.process.pid is None:
            self.restart()
        elif self.process.is_outdated() or without_servers(before) != without_servers(now):
            await self.listen(self.listening)
        return self.listening.lane

    def restart(self) -> None:
        """Start it again, as the files say. Raises OSError."""
        self.process.launch()

    @property
    def should_restart(self) -> bool:
        """Whether it has died. Not while it is being replaced, since its successor may not be able to start."""
        return self.listening is not None and not self._changing.locked() and self.process.pid is None

    async def listen(self, listening: HaproxyListening) -> None:
        """Run an HAProxy that listens so, in the place of the present one. Raises `TargetRefused`, `Unreachable`.

        Requests in flight end where they are. Counts go on, unless other limits make them incomparable.
        """
        async with self._changing:
            before = self.listening
            running = before is not None and self.process.pid is not None
            placed = await self._placed() if running else self._written_split()
            environment = {}
            if running and before is not None and before.bounds_us == listening.bounds_us:
                epoch, tallies, _ = await self._tallies(before)
                environment[CARRIED] = f"{epoch}:{counting.tallies_to_text(tallies)}"
            files = {name: _text(self.folder / name) for name in (FILE, MAP)}
            self._write(listening, placed, await self._servers(placed))
            place = self.process.log.end()
            try:
                start = self.process.launch(environment, replaces=running)
                await self.process.started(start, place)
            except Unreachable as problem:
                for name, text in files.items():
                    if text is not None:
                        _replace(self.folder / name, text)
                raise TargetRefused(str(problem)) from None
            self.listening = listening

    async def remove(self) -> None:
        """Stop it, and forget all about the lane."""
        async with self._changing:
            await self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def stop(self) -> None:
        self.listening = None
        await self.process.stop()

    # ---- the split ----------------------------------------------------------------------------------------

    async def apply(self, split: Split) -> None:
        """Raises `TargetRefused` with HAProxy's own words, `Unreachable`."""
        async with self._changing:
            listening = self.listening
            if listening is None:
                raise Unreachable("This lane is being removed.")
            shown, found_rows, stat, state = await self._runtime.ask(_SHOW_MAP, _FOUND, _STATISTICS, _SERVERS)
            before = splits.parse(entries(shown))
            found, stats = Found.read(counting.table(found_rows)), counting.statistics(stat)
            busy = {n for n in before.slots if int(stats[f"{EVIDENCE}{n}"]["scur"])}
            new = splits.taken(before, split, busy)
            leaving = {n: before.slots[n] for n in new if n in before.slots}
            lost = {n: counting.lost(f"{EVIDENCE}{n}", stats, found) for n in new}
            slots = {**before.slots, **{n: Slot(release, lost[n]) for n, release in new.items()}}
            placed = Placed(split, slots)
            wanted, there = await self._servers(placed), _present(state)
            for number, slot in leaving.items():
                found.unanswered[slot.release] += lost[number] - slot.lost_before
                await self._runtime.ask(*found.commands([slot.release]))
                await self._delete({b: there.pop(b, {}) for b in _backends(number)})
            await self._add(wanted, there)
            if said := await self._runtime.replace_map(MAP, splits.lines(placed)):
                raise TargetRefused(f"HAProxy refused the map of {listening.lane}: {said}")
            self._write(listening, placed, wanted)
            await self._delete(
                {b: {n: 0 for n in there.get(b, {}) if n not in servers} for b, servers in wanted.items()}
            )

    async def _add(self, wanted: Servers, there: Mapping[str, Mapping[str, int]]) -> None:
        added: dict[str, dict[str, int]] = {}
        for backend, servers in wanted.items():
            for name, at in servers.items():
                if name not in there.get(backend, {}):
                    (said,) = await self._runtime.ask(f"add server {backend}/{name} {at}")
                    if "registered" not in said:
                        await self._delete(added)
                        raise TargetRefused(f"HAProxy refused the server {at}: {said.strip()}")
                    if CHECKED in at:
                        await self._runtime.ask(f"enable health {backend}/{name}")
                    added.setdefault(backend, {})[name] = _IN_MAINTENANCE
        for backend, servers in wanted.items():
            for name in servers:
                if {**there.get(backend, {}), **added.get(backend, {})}[name]:
                    await self._runtime.ask(f"set server {backend}/{name} state ready")

    async def _delete(self, servers: Mapping[str, Mapping[str, int]]) -> None:
        """One with a request in flight stays in maintenance, where it gets no other."""
        for backend, names in servers.items():
            for name in names:
                await self._runtime.ask(
                    f"set server {backend}/{name} state maint", f"del server {backend}/{name}"
                )

    async def _servers(self, placed: Placed) -> Servers:
        """The servers of a split, by backend and name. Raises `TargetRefused` for a name that has no address."""
        found: Servers = {}
        for share in placed.split.shares if placed.split is not None else ():
            servers = await _servers_of(share, self._limits.server_options)
            for backend in _backends(placed.slot(release_key(share.digest))):
                found[backend] = servers
        return found

    # ---- what is read -------------------------------------------------------------------------------------

    async def observe(self) -> RoutedLane:
        """What HAProxy runs. Raises `Unreachable`."""
        shown, runs = await self._runtime.ask(_SHOW_MAP, f"show env {RUNS}")
        placed, listening = splits.parse(entries(shown)), parse_runs(value(runs, RUNS))
        at = (listening.route.host, listening.route.port)
        if placed.split is None:
            return RoutedLane(address=at)
        return RoutedLane(placed.split.generation, placed.split.revision, placed.weights, at)

    async def counts(self) -> dict[str, RouterCounts]:
        """By digest, for the releases of the present split. Raises `Unreachable`."""
        async with self._changing:
            if self.listening is None:
                return {}
            listening, now_ms = self.listening, time.time() * 1000
            answered, waiting, releases = await self._runtime.ask(_ANSWERED, _WAITING, _RELEASES)
            late = counting.overdue(counting.table(answered), counting.table(waiting), listening, now_ms)
            rows = counting.table(releases)
            epoch, tallies, instances = await self._tallies(listening)
            placed = await self._placed()
        return {
            share.digest: replace(
                counting.counts(
                    tallies[release_key(share.digest)],
                    epoch,
                    listening,
                    rows.get(release_key(share.digest), {}).get("conn_cur", 0),
                    late.get(release_key(share.digest), 0),
                ),
                instances=instances.get(release_key(share.digest), ()),
            )
            for share in (placed.split.shares if placed.split is not None else ())
        }

    async def _tallies(
        self, listening: HaproxyListening
    ) -> tuple[str, dict[str, Tally], dict[str, Instances]]:
        """The counters' epoch, and what every release has, by its key, as a whole and by instance.

        Faults are read before totals: a request that ends in between must not be a fault of no request.
        """
        stat, ring, found_rows, releases, shown, start, carried = await self._runtime.ask(
            _STATISTICS, _RING, _FOUND, _RELEASES, _SHOW_MAP, f"show env {START}", f"show env {CARRIED}"
        )
        stats, found = counting.statistics(stat), Found.read(counting.table(found_rows))
        changed = found.take(counting.ends(ring), round(listening.overdue_s * 1_000_000))
        if changed:
            await self._runtime.ask(*found.commands(changed))
        rows, placed = counting.table(releases), splits.parse(entries(shown))
        slots = {slot.release: (number, slot) for number, slot in placed.slots.items()}
        epoch, _, before = value(carried, CARRIED).partition(":")
        tallies = counting.tallies_from_text(before)
        servers = counting.servers(stat)
        instances = {
            release: counting.instances(servers.get(f"{EVIDENCE}{number}", ()), found)
            for release, (number, _) in slots.items()
        }
        for release in {*rows, *slots}:
            silent = 0
            if release in slots:
                number, slot = slots[release]
                silent = max(0, counting.lost(f"{EVIDENCE}{number}", stats, found) - slot.lost_before)
            own = counting.tally(rows.get(release, {}), release, found, silent, len(listening.bounds_us))
            tallies[release] = own + tallies.get(release, Tally())
        return epoch or value(start, START), tallies, instances

    async def _placed(self) -> Placed:
        (shown,) = await self._runtime.ask(_SHOW_MAP)
        return splits.parse(entries(shown))

    # ---- files --------------------------------------------------------------------------------------------

    def _written_split(self) -> Placed:
        try:
            return splits.parse((self.folder / MAP).read_text().splitlines())
        except (OSError, ValueError):
            return Placed()

    def _write(self, listening: HaproxyListening, placed: Placed, servers: Servers) -> None:
        """What a start of HAProxy needs. Raises OSError, `TargetRefused`."""
        text = configuration(listening, self._limits, {b: tuple(s.items()) for b, s in servers.items()})
        lines = splits.lines(splits.restarted(placed)) if placed.split is not None else []
        _replace(self.folder / MAP, "".join(f"{line}\n" for line in lines))
        _replace(self.folder / FILE, text)


def _present(state: str) -> dict[str, dict[str, int]]:
    """Servers that HAProxy has, by backend and name: whether they are in maintenance."""
    found: dict[str, dict[str, int]] = {}
    for line in state.splitlines():
        parts = line.split()
        if len(parts) > 6 and parts[0].isdecimal():
            found.setdefault(parts[1], {})[parts[3]] = int(parts[6])
    return found


def _backends(slot: int) -> tuple[str, str]:
    return f"{EVIDENCE}{slot}", f"{OTHER}{slot}"


async def _servers_of(share: Share, options: str) -> dict[str, str]:
    found = {}
    for backend in share.backends:
        at = written_address(await _resolved(backend), backend.port)
        name = blake2b(f"{backend.name} {at}".encode(), digest_size=8).hexdigest()
        found[name] = at
    if len(found) == 1:
        # HAProxy waits for a second before it tries the only server again, but not with two.
        return {f"{twin}{name}": f"{at} {options}" for name, at in found.items() for twin in "st"}
    return {f"c{name}": f"{at} {options} {CHECKED}" for name, at in found.items()}


async def _resolved(backend: Backend) -> str:
    """Servers that are added at run time have addresses, not names."""
    try:
        return str(ipaddress.ip_address(backend.host))
    except ValueError:
        pass
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(backend.host, None, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise TargetRefused(f"{backend.host} of {backend.name} has no address: {problem}") from None
    return str(found[0][4][0])


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None


def _replace(file: Path, text: str) -> None:
    aside = file.with_suffix(".new")
    aside.write_text(text)
    aside.replace(file)

"""The process runtime: releases as process groups of this machine, found again after a restart of the host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp

from bot.adapters.artifacts import ArtifactStore, Changed
from bot.adapters.lane_files import LaneFiles, folder_name, lane_from_json, release_from_json
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.process import logs, processes
from bot.adapters.runtimes.process.confinement import systemd_runs
from bot.adapters.runtimes.process.instance import Record
from bot.adapters.runtimes.process.processes import Process
from bot.adapters.runtimes.process.release import ProcessRelease
from bot.adapters.runtimes.process.settings import ProcessSettings
from bot.adapters.runtimes.process.spec import Artifact, parse_spec
from bot.adapters.runtimes.process.users import DEFAULT_IDS, LaneUser, LaneUsers, reachable
from bot.adapters.runtimes.process.writer import WriterProgram, pipe_of
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import UNORDERED, Order, RunningRelease
from bot.ports.errors import TargetRefused

log = logging.getLogger(__name__)

_VERSION = 1
_HOUSEKEEPING_S = 5.0
_STRAY_PATIENCE_S = 1.0


class ProcessRuntime:
    """Implements `bot.ports.data_plane.runtimes.Runtime`. Its files say which processes belong to which release.

    users: of the lanes' releases; None where all are the host's own user. systemd: whether systemd runs this machine.
    """

    def __init__(
        self, context: RuntimeContext, users: LaneUsers | None = None, *, systemd: bool = False
    ) -> None:
        self.owner = context.owner
        self.systemd = systemd
        self._users = users
        self._artifacts = context.releases / "artifacts"
        self._storing = asyncio.Lock()
        self._writer = WriterProgram(context.logs)
        self._files = LaneFiles(context.folder, _VERSION)
        self._logs = context.logs
        self._lanes: dict[Lane, dict[str, ProcessRelease]] = {}
        self._saving: dict[Lane, asyncio.Lock] = {}
        self._unsaved: set[Lane] = set()
        self._changed: Callable[[Lane], None] = lambda lane: None
        self._housekeeper: asyncio.Task[None] | None = None

    async def start(self, changed: Callable[[Lane], None]) -> None:
        """Raises ValueError for files of another version, besides what the port says."""
        self._changed = changed
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        found = list(processes.started_by(self.owner))
        leaders = {token: process for token, process in found if process.leads}
        for state in self._files.lanes():
            lane = lane_from_json(state["lane"])
            for stored in state["releases"]:
                self._restore(lane, release_from_json(stored["release"]), stored["instances"], leaders)
        await self._stop_strays(found)
        if self._lanes:
            self._writer.ensure()
        self._housekeeper = asyncio.create_task(self._keep_house(), name="housekeeping")

    async def close(self) -> None:
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        await asyncio.gather(*(release.exit() for release in self._releases()))
        await asyncio.to_thread(self._writer.stop)
        for release in self._releases():
            self._forget_pipes(release)
        for releases in self._lanes.values():
            releases.clear()
        await asyncio.gather(*map(self.save, self._lanes))
        await self.session.close()

    def check(self, release: Release, *, exclusive: bool) -> None:
        parse_spec(release, exclusive=exclusive)

    def run(self, lane: Lane, release: Release, *, restart: bool, order: Order = UNORDERED) -> None:
        releases = self._lanes.setdefault(lane, {})
        if release.digest not in releases:
            releases[release.digest] = self._made(lane, release)
        releases[release.digest].run(restart=restart)

    def stop(self, lane: Lane, digest: str, *, drained: bool) -> None:
        release = self._lanes.get(lane, {}).get(digest)
        if release is not None:
            release.stop(self._gone, drained=drained)

    async def observe(self) -> Mapping[Lane, Mapping[str, RunningRelease]]:
        return {
            lane: {digest: release.observed() for digest, release in releases.items()}
            for lane, releases in self._lanes.items()
        }

    # ---- for the releases --------------------------------------------------------------------------------------

    async def user(self, lane: Lane) -> LaneUser | None:
        """Who the lane's releases are; None for the host's own user. Raises OSError."""
        return await self._users.of(lane) if self._users else None

    async def files(self, artifact: Artifact) -> Path:
        """The verified copy of a release's files. Raises OSError, also when they are not those of its digest."""
        async with self._storing:
            used = {r.spec.artifact.digest for r in self._releases() if r.spec.artifact is not None}
            return await asyncio.to_thread(self._stored, artifact, used)

    def _stored(self, artifact: Artifact, used: set[str]) -> Path:
        reachable(self._artifacts)
        store = ArtifactStore(self._artifacts)
        try:
            found = store.ensure(artifact.digest, artifact.folder)
        except Changed as changed:
            raise OSError(str(changed)) from None
        store.collect(used)
        return found

    async def output(self, log: Path) -> logs.LoggedOutput:
        """A pipe into this log. Raises OSError."""
        self._writer.ensure()
        return logs.LoggedOutput(log)

    async def save(self, lane: Lane) -> None:
        """Save the lane's records. A full disk must not keep a release from running: it is tried again later."""
        async with self._saving.setdefault(lane, asyncio.Lock()):
            releases = [release.to_json() for release in self._lanes.get(lane, {}).values()]
            try:
                await self._files.save(lane, {"releases": releases})
            except OSError as problem:
                self._unsaved.add(lane)
                log.error("%s: its processes cannot be recorded: %s", lane, problem)
            else:
                self._unsaved.discard(lane)

    def changed(self, lane: Lane) -> None:
        self._changed(lane)

    def ports(self) -> set[int]:
        return {instance.record.port for release in self._releases() for instance in release.instances}

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _releases(self) -> Iterator[ProcessRelease]:
        for releases in self._lanes.values():
            yield from releases.values()

    def _made(self, lane: Lane, release: Release, records: tuple[Record, ...] = ()) -> ProcessRelease:
        def log_of(index: int) -> Path:
            name = (
                f"{quote(release.version, safe='')[:60]}-{quote(release.digest, safe='')[-12:]}.{index}.log"
            )
            return self._logs / folder_name(lane) / name

        return ProcessRelease(self, lane, release, parse_spec(release), log=log_of, records=records)

    def _restore(
        self,
        lane: Lane,
        release: Release,
        records: list[dict[str, object]],
        found: Mapping[str, Process],
    ) -> None:
        try:
            made = self._made(lane, release, tuple(Record(**record) for record in records))  # type: ignore[arg-type]
        except TargetRefused as refused:
            log.error("%s: %s", lane, refused)
            return
        made.adopt(found)
        self._lanes.setdefault(lane, {})[release.digest] = made

    def _gone(self, release: ProcessRelease) -> None:
        self._lanes[release.lane].pop(release.release.digest, None)
        self._unsaved.add(release.lane)
        self._forget_pipes(release)
        logs.tidy(self._logs / folder_name(release.lane))
        user = self._users.known(release.lane) if self._users else None
        if user is not None and not self._lanes[release.lane]:
            processes.kill_all_of(user)  # what left its process group
        self._changed(release.lane)

    def _forget_pipes(self, release: ProcessRelease) -> None:
        for instance in release.instances:
            pipe_of(instance.log).unlink(missing_ok=True)

    async def _stop_strays(self, found: list[tuple[str, Process]]) -> None:
        """Stop processes that an earlier host started and no release took over: none may run beside new ones."""
        known = {i.record.token for release in self._releases() for i in release.instances if i.adopted}
        strays = [process for token, process in found if token not in known]
        if strays:
            log.warning("stopping stray processes %s", [process.pid for process in strays])
        await asyncio.gather(*(process.stop(signal.SIGTERM, _STRAY_PATIENCE_S) for process in strays))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            for lane in list(self._unsaved):
                await self.save(lane)
            if any(True for _ in self._releases()):
                with contextlib.suppress(OSError):
                    self._writer.ensure()


def make_process_runtime(settings: ProcessSettings, context: RuntimeContext) -> ProcessRuntime:
    """Raises ValueError for users that this host cannot give."""
    users = None
    if settings.isolated:
        ids = settings.ids or DEFAULT_IDS
        users = LaneUsers(context.folder / "users", context.releases / "homes", context.owner, ids)
    elif settings.ids is not None:
        raise ValueError(f"users: {settings.users} needs a host that runs as root; this one does not")
    return ProcessRuntime(context, users, systemd=systemd_runs())

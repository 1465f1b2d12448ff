"""Containers of this Slipway on an engine: what they are labelled with, created from, and reported as.

A container says by its labels all that is needed to take it over. Only those with this Slipway's own label are ever
listed, so no other one can be touched.
"""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.runtimes.docker.engine import DockerApi, EngineError
from bot.adapters.runtimes.docker.labels import (
    DIGEST,
    ENVIRONMENT,
    OWNER,
    SERVICE,
    VERSION,
    kept_in,
    labels_of,
    lane_of,
    places_of,
)
from bot.adapters.runtimes.docker.settings import EngineSettings
from bot.adapters.runtimes.docker.spec import DockerSpec
from bot.adapters.runtimes.spec import fill
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import Order

_INDEX, _RESTARTS = "slipway.instance", "slipway.restarts"

SECRETS = "/run/secrets"
_LIST_S = 10.0
_ENGINES = b"\x03"
_LOG_LINES = 50
_TAIL_LINES = 5
_TAIL_CHARS = 4096
_KILLED = 137
_GRACE_S = 30.0  # beyond the time in which a container may exit


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine lists it.

    state: of Docker: created, running, restarting, paused, exited, removing, dead. health: healthy, unhealthy or
    starting; empty without a health check. port: on `publish`, or in the network. image: as it was created from.
    """

    id: str
    lane: Lane
    digest: str
    version: str
    index: int
    restarts: int
    state: str
    health: str
    image: str
    kept: Mapping[str, Any]
    host: str | None = None
    port: int | None = None

    @property
    def runs(self) -> bool:
        return self.state in ("running", "paused")


def listed(entry: Mapping[str, Any], settings: EngineSettings) -> Container:
    """A container from an entry of `/containers/json`. Raises KeyError, ValueError for labels of another version."""
    labels = entry["Labels"]
    kept = kept_in(labels)
    status = str(entry.get("Status", ""))
    found = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)", status)
    host, port = _address(entry, kept.get("port"), settings)
    return Container(
        id=str(entry["Id"]),
        lane=lane_of(labels),
        digest=labels[DIGEST],
        version=labels[VERSION],
        index=int(labels[_INDEX]),
        restarts=int(labels[_RESTARTS]),
        state=str(entry["State"]),
        health=found[1] if found else "",
        image=str(entry["Image"]),
        kept=kept,
        host=host,
        port=port,
    )


def _address(
    entry: Mapping[str, Any], port: int | None, settings: EngineSettings
) -> tuple[str | None, int | None]:
    if port is None:
        return None, None
    if settings.network is not None:
        networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
        address = (networks.get(settings.network) or {}).get("IPAddress")
        return (address, port) if address else (None, None)
    for each in entry.get("Ports") or ():
        if each.get("PrivatePort") == port and each.get("PublicPort"):
            return settings.publish, int(each["PublicPort"])
    return None, None


class Containers:
    """The containers of one Slipway on one engine. `owner`: what they are labelled with."""

    def __init__(self, engine: DockerApi, settings: EngineSettings, owner: str) -> None:
        self._engine = engine
        self._settings = settings
        self._owner = owner
        self._bounded_logs: dict[str, Any] | None = None

    async def list(self, lane: Lane | None = None, digest: str = "") -> list[Container]:
        """All of them, or those of one release, in one request. Raises `Unreachable`, `EngineError`."""
        labels = [f"{OWNER}={self._owner}"]
        if lane is not None:
            labels += [f"{SERVICE}={lane.service}", f"{ENVIRONMENT}={lane.environment}", f"{DIGEST}={digest}"]
        params = {"all": "1", "filters": {"label": labels}}
        entries = await self._engine.get("/containers/json", params=params, timeout_s=_LIST_S)
        found = []
        for entry in entries:
            with contextlib.suppress(KeyError, ValueError, TypeError):
                found.append(listed(entry, self._settings))
        return found

    async def create(
        self, lane: Lane, release: Release, spec: DockerSpec, index: int, *, restarts: int, order: Order
    ) -> str:
        """Create and start a container; its id. Raises `EngineError`, `Unreachable`, OSError (files of the spec)."""
        places = places_of(lane, release, spec, index)
        labels = labels_of(self._owner, lane, release, spec, order=order, places=places)
        labels |= {_INDEX: str(index), _RESTARTS: str(restarts)}
        body = self._body(spec, places, labels)
        body["HostConfig"] |= await self._log_limits()
        name = re.sub(
            r"[^A-Za-z0-9_.-]+", "-", f"slipway-{lane.service}-{lane.environment}-{release.version}"
        )
        params = {"name": f"{name[:100]}-{index}-{secrets.token_hex(3)}"}
        files = {name: path.read_bytes() for name, path in spec.secret_files.items()}
        made = str((await self._engine.post("/containers/create", params=params, json=body))["Id"])
        try:
            if files:
                archive = _archive(files, spec.user)
                await self._engine.put(f"/containers/{made}/archive", archive, params={"path": SECRETS})
            for network in self._networks(spec)[1:]:
                await self._engine.post(f"/networks/{network}/connect", json={"Container": made})
            await self._engine.post(f"/containers/{made}/start")
        except EngineError:
            await self.remove(made)
            raise
        return made

    async def stop(self, container: Container) -> None:
        """Ask it to exit, kill it after its time, and remove it; gone when this returns."""
        patience = float(container.kept.get("stop_s", 10.0))
        with contextlib.suppress(EngineError):  # it is gone, or has exited
            params = {"t": str(round(patience))}
            await self._engine.post(
                f"/containers/{container.id}/stop", params=params, timeout_s=patience + _GRACE_S
            )
        await self.remove(container.id)

    async def remove(self, container_id: str) -> None:
        """Remove a container with its anonymous volumes; one that is not there is no error."""
        try:
            await self._engine.delete(f"/containers/{container_id}", params={"force": "1", "v": "1"})
        except EngineError as error:
            if error.status not in (404, 409):  # 409: it is being removed already
                raise

    async def ending(self, container: Container, redact: Callable[[str], str]) -> str:
        """How a container that no longer runs ended, with its last words. Raises `Unreachable`."""
        try:
            told = await self._engine.get(f"/containers/{container.id}/json")
        except EngineError:
            return "was removed"
        state, limit = told["State"], told["HostConfig"].get("Memory") or 0
        if state.get("Error") and not state.get("OOMKilled"):
            how = f"could not be started: {state['Error']}"
        else:
            how = exit_of(state["ExitCode"], limit, state.get("OOMKilled", False))
        words = last_words(await self._output(container.id), redact)
        return how + (f"; last words: {words}" if words else "")

    async def complaint(self, container: Container, redact: Callable[[str], str]) -> str:
        """What the health check of an unhealthy container printed. Raises `Unreachable`."""
        with contextlib.suppress(EngineError):
            told = await self._engine.get(f"/containers/{container.id}/json")
            checks = (told["State"].get("Health") or {}).get("Log") or [{}]
            words = last_words(str(checks[-1].get("Output", "")), redact)
            return "its health check fails" + (f": {words}" if words else "")
        return "its health check fails"

    async def _output(self, container_id: str) -> str:
        params = {"stdout": "1", "stderr": "1", "tail": str(_LOG_LINES)}
        try:
            async with self._engine.request(
                "GET", f"/containers/{container_id}/logs", params=params
            ) as answer:
                return unframed(await answer.read())
        except EngineError:
            return ""  # a log driver that cannot be read from

    def _networks(self, spec: DockerSpec) -> tuple[str, ...]:
        first = (self._settings.network,) if self._settings.network else ()
        return (*first, *(name for name in spec.networks if name not in first))

    def _body(self, spec: DockerSpec, places: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
        mounts = spec.mounts()
        if spec.secret_files:  # a volume of its own, which the image's files being read-only does not concern
            mounts.append({"Type": "volume", "Target": SECRETS})
        host: dict[str, Any] = {
            "Mounts": mounts,
            "Memory": spec.limits.memory_bytes,
            "MemorySwap": spec.limits.memory_bytes,
            "NanoCpus": spec.limits.nano_cpus,
            "ReadonlyRootfs": spec.read_only,
            "Tmpfs": dict.fromkeys(spec.tmpfs, ""),
            "SecurityOpt": ["no-new-privileges:true"],
            # Slipway starts containers again itself, by the rules of their rollout.
            "RestartPolicy": {"Name": "no"},
        }
        if spec.limits.pids:
            host["PidsLimit"] = spec.limits.pids
        if networks := self._networks(spec):
            host["NetworkMode"] = networks[0]
        body: dict[str, Any] = {
            "Image": spec.image,
            "Env": [f"{name}={value}" for name, value in spec.environment(places).items()],
            "Labels": dict(labels),
            "StopTimeout": round(spec.stop_s),
            "HostConfig": host,
        }
        if spec.command is not None:
            body["Cmd"] = [fill(word, places) for word in spec.command]
        if spec.user:
            body["User"] = spec.user
        if spec.stop_signal:
            body["StopSignal"] = spec.stop_signal
        if spec.port:
            body["ExposedPorts"] = {f"{spec.port}/tcp": {}}
            if self._settings.network is None:
                host["PortBindings"] = {
                    f"{spec.port}/tcp": [{"HostIp": self._settings.publish, "HostPort": ""}]
                }
        if (health := spec.health) is not None:
            body["Healthcheck"] = health.check()
        return body

    async def _log_limits(self) -> dict[str, Any]:
        """Docker's default log grows until the disk is full; other log drivers are left as they are set up."""
        if self._bounded_logs is None:
            driver = (await self._engine.get("/info")).get("LoggingDriver")
            limits = {"Type": driver, "Config": {"max-size": "10m", "max-file": "3"}}
            self._bounded_logs = {"LogConfig": limits} if driver == "json-file" else {}
        return self._bounded_logs


def exit_of(code: int, memory: int, out_of_memory: bool) -> str:
    """How a process ended. memory: its limit in bytes, 0 without one. out_of_memory: what the engine says.

    A kill for memory may reach the engine without its reason: containerd can lose the event of the kernel when a
    process is killed soon after its start (containerd issue 8180). So a killed process with a limit is told with it.
    """
    limit = f"its limit of {memory / 1024**2:.0f} MB" if memory else "there is"
    if out_of_memory:
        return f"was killed because it needed more memory than {limit}"
    how = f"exited with code {code}"
    if code == _KILLED and memory:
        return f"{how}, perhaps because it needed more memory than {limit}"
    return how


def last_words(output: str, redact: Callable[[str], str]) -> str:
    """The last lines, joined by ` | `. Redacted before anything is cut, since no redactor recognises half a secret."""
    lines = [line.strip() for line in redact(output).split("\n") if line.strip()]
    return " | ".join(lines[-_TAIL_LINES:])[-_TAIL_CHARS:]


def unframed(data: bytes) -> str:
    """The output of both streams: each piece has a header of 8 bytes, unless there is a terminal.

    Pieces of a third stream say what the engine could not read.
    """
    if data[:1] not in (b"\x00", b"\x01", b"\x02", _ENGINES) or data[1:4] != b"\0\0\0":
        return data.decode(errors="replace")
    pieces, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 1] != _ENGINES:
            pieces.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(pieces).decode(errors="replace")


def _archive(files: Mapping[str, bytes], user: str | None) -> bytes:
    """A tar archive of secret files that only the container's user can read; all users of it when it has a name."""
    owner, _, group = (user or "0").partition(":")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o400 if owner.isdigit() else 0o444
            entry.uid = int(owner) if owner.isdigit() else 0
            entry.gid = int(group) if group.isdigit() else 0
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()

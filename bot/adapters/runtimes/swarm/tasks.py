"""Tasks of a swarm, one for each start of a replica, and the nodes that they run on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapters.runtimes.docker.engine import EngineApi
from bot.adapters.runtimes.docker.labels import kept_in

_ENDED = ("complete", "failed", "rejected")
_WANTED = ("ready", "running")
_TASK = "com.docker.swarm.task.id"
_COMING = ("new", "pending", "assigned", "accepted", "preparing", "ready")


@dataclass(frozen=True, slots=True)
class Node:
    """up: whether the swarm hears of it."""

    name: str
    address: str
    up: bool


class Nodes:
    """The nodes of the swarm, asked for when there is one that is not known yet."""

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine
        self._known: dict[str, Node] = {}
        self._fresh = False

    def get(self, node: str) -> Node | None:
        return self._known.get(node)

    def down(self, task: Mapping[str, Any]) -> bool:
        """Whether a task's node has gone, with whatever ran on it, as far as the swarm knows."""
        node = self._known.get(str(task.get("NodeID", "")))
        return node is not None and not node.up

    @property
    def several(self) -> bool:
        return len(self._known) > 1

    async def know(self, nodes: Collection[str]) -> None:
        """Raises `EngineError`, `Unreachable`."""
        if self._fresh and set(nodes) <= set(self._known):
            return
        self._fresh = True  # unless something happens while the answer is under way
        try:
            listed = await self._engine.get("/nodes")
        except BaseException:
            self._fresh = False
            raise
        known = {node: Node("", "", up=False) for node in nodes}  # it may have been removed
        for entry in listed:
            before = self._known.get(str(entry["ID"]))
            manager = str(entry.get("ManagerStatus", {}).get("Addr", "")).rpartition(":")[0]
            told = str(entry.get("Status", {}).get("Addr", ""))
            address = manager if told in ("", "0.0.0.0") else told  # noqa: S104 - what an old leader says of itself
            name = str(entry.get("Description", {}).get("Hostname", ""))
            up = entry.get("Status", {}).get("State") != "down"
            known[str(entry["ID"])] = Node(name, address or (before.address if before else ""), up)
        self._known = known

    def forget(self) -> None:
        """Ask again: a node may have come back at another address."""
        self._fresh = False


class OwnNode:
    """Tasks that are listed as running on the engine's own node, confirmed by their containers.

    An engine that has started again lists its tasks as running, with their former ports, until it finds that their
    containers are gone. By then, a container of another release may have been given such a port.
    """

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine
        self._outages = engine.outages
        self._node = ""
        self._sure: set[str] = set()

    async def unconfirmed(self, entries: Sequence[Mapping[str, Any]], mine: Mapping[str, Any]) -> set[str]:
        """Ids of tasks that do not run, whatever the list says. mine: parameters that select the containers.

        Asks the engine only for tasks that are new since its last outage. Raises `EngineError`, `Unreachable`.
        """
        if self._outages != self._engine.outages:
            self._outages = self._engine.outages
            self._sure.clear()
            self._node = ""  # another manager may answer now
        running = {
            str(e["ID"]): str(e.get("NodeID", "")) for e in entries if e["Status"]["State"] == "running"
        }
        self._sure &= set(running)
        if self._sure == set(running):
            return set()
        if not self._node:
            self._node = str((await self._engine.get("/info"))["Swarm"]["NodeID"])
        here = {task for task, node in running.items() if node == self._node}
        there: set[str] = set()
        if here - self._sure:
            containers = await self._engine.get("/containers/json", params=mine)
            there = {str(each["Labels"].get(_TASK, "")) for each in containers}
        if self._outages != self._engine.outages:  # two managers may have been asked
            return await self.unconfirmed(entries, mine)
        self._sure = {task for task in running if task not in here or task in self._sure or task in there}
        return set(running) - self._sure


@dataclass(frozen=True, slots=True)
class Task:
    """One start of a replica. state, wanted: as the swarm names them; slot: which replica, from 1.

    error: in the swarm's words, empty when there is none. node: its name, where the swarm has several.
    """

    id: str
    slot: int
    state: str
    wanted: str
    error: str
    exit_code: int
    container: str
    node: str
    host: str | None
    port: int | None
    labels: Mapping[str, str]

    @property
    def current(self) -> bool:
        """Whether the swarm wants it to run, now or in a moment."""
        return self.wanted in _WANTED and not self.ended

    @property
    def ended(self) -> bool:
        """Whether it ended by itself, or never started; one that the swarm moved to another node did not."""
        return self.state in _ENDED

    @property
    def comes(self) -> bool:
        """Whether it has yet to be started."""
        return self.state in _COMING

    @property
    def runs(self) -> bool:
        """Whether it runs, is healthy where it has a health check, and is not about to be stopped."""
        return self.state == "running" and self.wanted == "running"


def task_of(entry: Mapping[str, Any], network: str | None, nodes: Nodes) -> Task:
    """A task from an entry of `/tasks`. Raises KeyError, ValueError, TypeError for anything else."""
    status = entry["Status"]
    container = status.get("ContainerStatus") or {}
    node = nodes.get(str(entry.get("NodeID", "")))
    labels = entry["Spec"]["ContainerSpec"]["Labels"]
    host, port = _address(entry, kept_in(labels).get("port"), network, node)
    return Task(
        id=str(entry["ID"]),
        slot=int(entry["Slot"]),
        state=str(status["State"]),
        wanted=str(entry["DesiredState"]),
        error=str(status.get("Err") or ""),
        exit_code=int(container.get("ExitCode") or 0),
        container=str(container.get("ContainerID") or ""),
        node=node.name if node is not None and nodes.several else "",
        host=host,
        port=port,
        labels=labels,
    )


def _address(
    entry: Mapping[str, Any], port: int | None, network: str | None, node: Node | None
) -> tuple[str | None, int | None]:
    if port is None:
        return None, None
    if network is not None:
        for each in entry.get("NetworksAttachments") or ():
            if each["Network"]["Spec"]["Name"] == network and each.get("Addresses"):
                return str(each["Addresses"][0]).partition("/")[0], port
        return None, None
    for each in (entry["Status"].get("PortStatus") or {}).get("Ports") or ():
        if each.get("TargetPort") == port and each.get("PublishedPort") and node is not None and node.address:
            return node.address, int(each["PublishedPort"])
    return None, None

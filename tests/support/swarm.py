"""A real Docker Swarm for tests: each node is a `dockerd` in a network namespace, which stands for a machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import DockerEngine
from tests.support.waiting import PATIENCE_S

_NETWORK = "slipswarm"


class SwarmNode(DockerEngine):
    """One machine of the network `number`. Use `docker_swarm`."""

    def __init__(self, folder: Path, number: int, index: int) -> None:  # it has no bridge of its own outside
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.ip = f"172.28.{number}.{10 + index}"
        self._data = folder / "data"
        self._data.mkdir()
        self._size = ""
        self._process = None
        self._namespace = f"{_NETWORK}{number}-{index}"
        self._within = ("nsenter", f"--net=/run/netns/{self._namespace}")
        self._link = f"slipsw{number}-{index}"
        _run("ip", "netns", "add", self._namespace)
        _run(
            "ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._namespace
        )
        _run("ip", "link", "set", self._link, "master", f"{_NETWORK}{number}", "up")
        for command in (
            "link set lo up",
            f"address add {self.ip}/24 dev eth0",
            "link set eth0 up",
            f"route add default via 172.28.{number}.1",
        ):
            _run(*self._within, "ip", *command.split())

    def _options(self) -> dict[str, object]:
        return {
            "data-root": self._data,
            "exec-root": self.folder / "exec",
            "pidfile": self.folder / "pid",
            "iptables": "false",
            "ip-masq": "false",
            "insecure-registry": "172.28.0.0/16",
            "shutdown-timeout": "2",
        }

    @property
    def id(self) -> str:
        """In the swarm."""
        return str(json.loads(self.ask("GET", "/info"))["Swarm"]["NodeID"])

    def killed(self) -> None:
        """Its engine is gone at once, and comes back with `start`. Containers run on meanwhile."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def lost(self) -> None:
        """The machine is gone at once: its containers, its engine, and its network."""
        assert self._process is not None
        _run("ip", "link", "set", self._link, "down")
        for entry in self._listed():
            self.call("POST", f"/containers/{entry['Id']}/kill")
        self._process.kill()
        self._process.wait()
        self._process = None

    def close(self) -> None:
        self.call("POST", "/swarm/leave?force=1")
        for entry in self._listed() if self._process is not None else []:
            self.call("DELETE", f"/containers/{entry['Id']}?force=1&v=1")
        self.stop()
        for line in reversed(
            Path("/proc/mounts").read_text().splitlines()
        ):  # an engine that was killed leaves some
            if (at := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", at], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._link], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "delete", self._namespace], check=False, capture_output=True)


class Swarm:
    """A manager, which works too, and perhaps further nodes; so many `managers` in all, the first ones."""

    def __init__(self, nodes: list[SwarmNode], gateway: str, managers: int = 1) -> None:
        self.nodes = nodes
        self.gateway = gateway
        self.manager = nodes[0]
        address = self.manager.ip
        body = {"ListenAddr": f"{address}:2377", "AdvertiseAddr": address}
        self.manager.ask("POST", "/swarm/init", json.dumps(body).encode())
        tokens = json.loads(self.manager.ask("GET", "/swarm"))["JoinTokens"]
        for index, node in enumerate(nodes[1:], start=1):
            token = tokens["Manager" if index < managers else "Worker"]
            body = {"ListenAddr": f"{node.ip}:2377", "AdvertiseAddr": node.ip, "JoinToken": token}
            node.ask("POST", "/swarm/join", json.dumps(body | {"RemoteAddrs": [f"{address}:2377"]}).encode())
        # A node that has joined gets nothing to do until its manager has heard from it again.
        deadline = time.monotonic() + PATIENCE_S
        while not self._complete(managers):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the nodes of the swarm are not ready: {self._nodes()}")
            time.sleep(0.05)

    def _complete(self, managers: int) -> bool:
        found = self._nodes()
        reachable = [each.get("ManagerStatus", {}).get("Reachability") for each in found].count("reachable")
        return reachable == managers and {each["Status"]["State"] for each in found} == {"ready"}

    def _nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.manager.ask("GET", "/nodes"))
        return found

    def load(self, name: str) -> str:
        """Import the image of the test service on every node; its id, which is the same on all of them."""
        made = self.manager.load(name)
        packed = self.manager.ask("GET", f"/images/{name}/get")
        for node in self.nodes[1:]:
            node.ask("POST", "/images/load", packed)
        return made

    def availability(self, node: SwarmNode, availability: str) -> None:
        """Set it to "active", "pause" or "drain"."""
        said = b"out of sequence"
        while b"out of sequence" in said:  # what the manager hears from a node is another version of it
            told = json.loads(self.manager.ask("GET", f"/nodes/{node.id}"))
            spec = json.dumps({**told["Spec"], "Availability": availability}).encode()
            at = f"/nodes/{node.id}/update?version={told['Version']['Index']}"
            status, said = self.manager.call("POST", at, spec)
        if status != 200:
            raise RuntimeError(f"{at}: {status} {said.decode(errors='replace')}")

    def services(self) -> list[dict[str, object]]:
        """All of them, of any owner."""
        found: list[dict[str, object]] = json.loads(self.manager.ask("GET", "/services"))
        return found

    def kill(self, task: str) -> None:
        """End the container of a task, named by the beginning of its id."""
        for node in self.nodes:
            for entry in node.containers():
                if any(f".{task}" in name for name in entry["Names"]):  # type: ignore[attr-defined]
                    node.ask("POST", f"/containers/{entry['Id']}/kill")
                    return
        raise RuntimeError(f"no container of task {task}")


@contextmanager
def docker_swarm(nodes: int = 1, managers: int = 1) -> Iterator[Swarm]:
    """A swarm of so many machines, the first `managers` of which manage it.

    Skips where there is no Docker Engine, or no right to start one.
    """
    if os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "busybox", "ip", "nsenter"))):
        pytest.skip("needs root, dockerd (docker.io), busybox-static, iproute2 and nsenter")
    folder = Path(tempfile.mkdtemp(prefix="slipway-swarm-"))
    number = _network()
    made: list[SwarmNode] = []
    try:
        for index in range(nodes):
            (folder / str(index)).mkdir()
            made.append(SwarmNode(folder / str(index), number, index))
            made[-1].start()
        yield Swarm(made, f"172.28.{number}.1", managers)
    finally:
        for node in reversed(made):
            node.close()
        _run("ip", "link", "delete", f"{_NETWORK}{number}")
        shutil.rmtree(folder, ignore_errors=True)


def _network() -> int:
    """Number of a network that no other swarm of tests has, also not of other workers."""
    for number in range(250):
        bridge = f"{_NETWORK}{number}"
        made = subprocess.run(
            ["ip", "link", "add", "name", bridge, "type", "bridge"], check=False, capture_output=True
        )
        if made.returncode == 0:
            _run("ip", "address", "add", f"172.28.{number}.1/24", "dev", bridge)
            _run("ip", "link", "set", bridge, "up")
            return number
    raise RuntimeError("no bridge is free, or none can be made here")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)

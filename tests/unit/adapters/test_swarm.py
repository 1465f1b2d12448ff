"""Services of a swarm as the Engine's API takes them, and its tasks as they are understood."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from bot.adapters.runtimes.docker.engine import EngineError
from bot.adapters.runtimes.swarm.body import service_body
from bot.adapters.runtimes.swarm.managers import cannot_answer
from bot.adapters.runtimes.swarm.release import SwarmRelease
from bot.adapters.runtimes.swarm.services import SwarmService
from bot.adapters.runtimes.swarm.settings import SwarmSettings
from bot.adapters.runtimes.swarm.spec import SwarmSpec
from bot.adapters.runtimes.swarm.tasks import Node, Nodes, OwnNode, task_of
from bot.composition import registry
from bot.domain.rollout.model import Lane, Release, RunState

IMAGE = f"web@sha256:{'0' * 64}"
TLS = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
LABELS = {
    "slipway.service": "web",
    "slipway.environment": "production",
    "slipway.settings": json.dumps({"port": 8080}),
}


def body(network: str | None = None, **spec: Any) -> dict[str, Any]:
    said = SwarmSpec.model_validate({"image": IMAGE, "port": 8080, **spec})
    return service_body(
        said,
        places={"version": "1.0"},
        labels={},
        environment=said.environment({"version": "1.0", "instance": "{{.Task.Slot}}"}),
        secrets={},
        network=network,
        log_driver=None,
    )


def entry(**more: Any) -> dict[str, Any]:
    ports = [{"TargetPort": 9, "PublishedPort": 1}, {"TargetPort": 8080, "PublishedPort": 32769}]
    return {
        "ID": "t1",
        "Slot": 2,
        "NodeID": "n1",
        "DesiredState": "running",
        "Status": {"State": "running", "PortStatus": {"Ports": ports}},
        "Spec": {"ContainerSpec": {"Labels": LABELS}},
        **more,
    }


@pytest.fixture
def nodes() -> Nodes:
    found = Nodes(None)  # type: ignore[arg-type] - which it asks for none
    found._known = {"n1": Node("one", "10.0.0.1", up=True), "n2": Node("two", "10.0.0.2", up=False)}
    return found


def test_variables_are_taken_as_they_are_but_for_the_number_of_the_replica() -> None:
    env = body(env={"QUERY": "{{ x }}", "NAME": "web-{instance}"})["TaskTemplate"]["ContainerSpec"]["Env"]
    assert set(env) == {"PORT=8080", 'QUERY={{"{{"}} x }}', "NAME=web-{{.Task.Slot}}"}


def test_port_is_published_on_each_node_unless_router_and_releases_share_a_network() -> None:
    assert [p["PublishMode"] for p in body()["EndpointSpec"]["Ports"]] == ["host"]
    shared = body("routed", networks=["db", "routed"])
    assert "EndpointSpec" not in shared
    assert shared["TaskTemplate"]["Networks"] == [{"Target": "routed"}, {"Target": "db"}]


def test_task_is_reached_at_the_port_of_its_node_or_in_the_network(nodes: Nodes) -> None:
    task = task_of(entry(), None, nodes)
    assert (task.host, task.port, task.node, task.runs) == ("10.0.0.1", 32769, "one", True)
    attached = [{"Network": {"Spec": {"Name": "routed"}}, "Addresses": ["10.1.0.7/24"]}]
    inside = task_of(entry(NetworksAttachments=attached), "routed", nodes)
    assert (inside.host, inside.port) == ("10.1.0.7", 8080)
    assert task_of(entry(), "routed", nodes).host is None


@pytest.mark.parametrize(
    ("state", "wanted", "ended", "current", "runs"),
    [
        ("running", "running", False, True, True),
        ("running", "shutdown", False, False, False),  # its node is drained
        ("shutdown", "shutdown", False, False, False),
        ("failed", "shutdown", True, False, False),
        ("rejected", "ready", True, False, False),
        ("ready", "ready", False, True, False),  # waits for the pause before a restart
        ("running", "remove", False, False, False),
    ],
)
def test_what_a_task_is_follows_from_its_two_states(
    nodes: Nodes, state: str, wanted: str, ended: bool, current: bool, runs: bool
) -> None:
    task = task_of(entry(DesiredState=wanted, Status={"State": state}), None, nodes)
    assert (task.ended, task.current, task.runs) == (ended, current, runs)


def test_only_what_is_on_a_node_that_has_gone_counts_as_gone(nodes: Nodes) -> None:
    assert [nodes.down({"NodeID": each}) for each in ("n1", "n2", "unknown")] == [False, True, False]


class NodeEngine:
    """What the engine of node n1 answers. containers: the tasks with a container there."""

    def __init__(self) -> None:
        self.outages = 0
        self.containers: set[str] = set()
        self.asked: list[str] = []

    async def get(self, path: str, **_: Any) -> Any:
        self.asked.append(path)
        if path == "/info":
            return {"Swarm": {"NodeID": "n1"}}
        return [{"Labels": {"com.docker.swarm.task.id": task}} for task in self.containers]


async def test_task_that_ended_with_the_engine_of_its_node_is_not_believed_to_run() -> None:
    engine = NodeEngine()
    own = OwnNode(engine)  # type: ignore[arg-type]
    elsewhere, starts = entry(ID="t2", NodeID="n2"), entry(ID="t3", Status={"State": "starting"})
    engine.containers = {"t1"}
    assert await own.unconfirmed([entry(), elsewhere, starts], {}) == set()
    engine.asked.clear()
    assert await own.unconfirmed([entry(), elsewhere, starts], {}) == set() and not engine.asked
    engine.outages += 1
    engine.containers = {"t3"}  # which has been given the former port of t1
    assert await own.unconfirmed([entry(), elsewhere, starts], {}) == {"t1"}
    assert await own.unconfirmed([entry(), elsewhere, entry(ID="t3")], {}) == {"t1"}
    assert await own.unconfirmed([elsewhere, entry(ID="t3")], {}) == set()


def test_manager_without_tls_elsewhere_is_refused_and_each_manager_is_a_place() -> None:
    settings = registry.KINDS.targets["swarm"].settings
    remote = settings.model_validate({"kind": "swarm", "engine": "tcp://manager.example.com:2376"})
    assert isinstance(remote, SwarmSettings)
    assert [problem.path for problem in remote.problems()] == [("engine",)]
    local = settings.model_validate({"kind": "swarm"})
    assert isinstance(local, SwarmSettings)
    assert not list(local.problems()) and local.place == "swarm" != remote.place


def test_further_managers_are_held_to_the_same_rules_and_make_no_other_place() -> None:
    settings = registry.KINDS.targets["swarm"].settings
    written = {"kind": "swarm", "engine": "tcp://one.example.com:2376", "tls": TLS}
    one = settings.model_validate(written)
    several = settings.model_validate({**written, "managers": ["ssh://ann@two.example.com"]})
    assert isinstance(one, SwarmSettings) and isinstance(several, SwarmSettings)
    assert several.place == one.place and not list(several.problems())
    bare = {"kind": "swarm", "managers": ["ssh://two.example.com", "tcp://three.example.com:2376"]}
    assert [problem.path for problem in settings.model_validate(bare).problems()] == [("managers", 1)]
    unused = {"kind": "swarm", "managers": ["ssh://two.example.com"], "tls": TLS}
    assert [problem.path for problem in settings.model_validate(unused).problems()] == [("tls",)]


@pytest.mark.parametrize(
    ("path", "status", "words", "away"),
    [
        ("/services", 500, "rpc error: code = Unknown desc = The swarm does not have a leader.", True),
        ("/services/create", 500, "raft: failed to process the request: node lost leader status", True),
        ("/nodes", 503, "This node is not a swarm manager. Worker nodes can't be used to view", True),
        ("/tasks", 500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", True),
        ("/tasks/t1/logs", 500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", False),
        ("/services/create", 400, "rpc error: code = InvalidArgument desc = name must be valid", False),
        ("/services/s1/update", 500, "rpc error: code = Unknown desc = update out of sequence", False),
        ("/services/create", 404, "network nowhere not found", False),
        ("/distribution/web:1/json", 503, "received unexpected HTTP status: 503", False),
        ("/images/web:1/json", 500, "context deadline exceeded", False),
    ],
)
def test_swarm_without_a_leader_is_told_from_a_refusal(
    path: str, status: int, words: str, away: bool
) -> None:
    assert cannot_answer(path, EngineError(status, words)) is away


def test_service_was_removed_once_it_has_been_missing_for_a_while() -> None:
    """The first listings of a new leader may lack it."""
    surroundings = SimpleNamespace(engine=SimpleNamespace(outages=0), changed=lambda lane: None)
    lane = Lane("web", "production")
    release = SwarmRelease(
        surroundings,  # type: ignore[arg-type]
        lane,
        Release("web", "1.0", "sha256:1"),
        SwarmSpec.model_validate({"image": IMAGE}),
        adopted=True,
    )
    there = SwarmService("s1", {}, {})
    for at, service in ((1.0, there), (2.0, None), (3.9, None), (4.0, there), (5.0, None), (6.9, None)):
        release.see(service, [], at)
        assert release.observed().state is RunState.STARTING
    release.see(None, [], 7.0)
    (instance,) = release.observed().instances
    assert (instance.state, instance.detail) == (RunState.CRASHED, "was removed")

"""A service in the form of the Engine's API, from a release's spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.adapters.runtimes.docker.spec import NS
from bot.adapters.runtimes.spec import fill
from bot.adapters.runtimes.swarm.spec import SwarmSpec

# The swarm starts replicas again, also while no Slipway runs.
RESTART_S = 2.0
# What the swarm replaces by the number of a replica, from 1.
SLOT = "{{.Task.Slot}}"


def service_body(
    spec: SwarmSpec,
    *,
    places: Mapping[str, str],
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    secrets: Mapping[str, tuple[str, str]],
    network: str | None,
    log_driver: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Everything but the name. secrets: id and name of the swarm's secret for each file."""
    limits = {
        "MemoryBytes": spec.limits.memory_bytes,
        "NanoCPUs": spec.limits.nano_cpus,
        "Pids": spec.limits.pids or 0,
    }
    joined = ((network,) if network else ()) + tuple(name for name in spec.networks if name != network)
    template: dict[str, Any] = {
        "ContainerSpec": _container(spec, places, labels, environment) | {"Secrets": _files(spec, secrets)},
        "Resources": {"Limits": limits},
        "RestartPolicy": {"Condition": "any", "Delay": round(RESTART_S * NS), "MaxAttempts": 0},
        "Placement": {"Constraints": list(spec.constraints)},
        "Networks": [{"Target": name} for name in joined],
    }
    if log_driver is not None:
        template["LogDriver"] = dict(log_driver)
    body: dict[str, Any] = {
        "Labels": dict(labels),
        "TaskTemplate": template,
        "Mode": {"Replicated": {"Replicas": spec.instances}},
    }
    if spec.port and network is None:
        # Each replica at a port of its own node: the router has them all, and sees each one that leaves.
        port = {"Protocol": "tcp", "TargetPort": spec.port, "PublishMode": "host"}
        body["EndpointSpec"] = {"Ports": [port]}
    return body


def _container(
    spec: SwarmSpec, places: Mapping[str, str], labels: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    mounts = spec.mounts() + [{"Type": "tmpfs", "Target": path} for path in spec.tmpfs]
    container: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={_literal(value)}" for name, value in environment.items()],
        "Labels": dict(labels),
        "Mounts": mounts,
        "ReadOnly": spec.read_only,
        "StopGracePeriod": round(spec.stop_s * NS),
        "Privileges": {"NoNewPrivileges": True},  # engines before 25.0 ignore it
    }
    if spec.command is not None:
        container["Args"] = [fill(word, places) for word in spec.command]
    if spec.user:
        container["User"] = spec.user
    if spec.stop_signal:
        container["StopSignal"] = spec.stop_signal
    if spec.health is not None:
        container["Healthcheck"] = spec.health.check()
    return container


def _literal(value: str) -> str:
    """A variable that the swarm does not take for a template, but for the number of the replica."""
    return value.replace("{{", '{{"{{"}}').replace('{{"{{"}}' + SLOT[2:], SLOT)


def _files(spec: SwarmSpec, secrets: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Readable by the container's user alone; by all of its users when that one has a name."""
    owner, _, group = (spec.user or "0").partition(":")
    file = {
        "UID": owner if owner.isdigit() else "0",
        "GID": group if group.isdigit() else "0",
        "Mode": 0o400 if owner.isdigit() else 0o444,
    }
    return [
        {"SecretID": made, "SecretName": unique, "File": {"Name": name, **file}}
        for name, (made, unique) in secrets.items()
    ]

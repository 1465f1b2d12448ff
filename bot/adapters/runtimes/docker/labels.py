"""Labels by which releases on an engine are found again, and told from everything that is not Slipway's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.adapters.runtimes.docker.spec import DockerSpec
from bot.adapters.runtimes.spec import fill
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.runtimes import Order

OWNER = "slipway.owner"
SERVICE, ENVIRONMENT = "slipway.service", "slipway.environment"
VERSION, DIGEST = "slipway.version", "slipway.digest"
GENERATION, ROLLOUT = "slipway.generation", "slipway.rollout"
_KEPT = "slipway.settings"
# What a later host needs of a spec before it is told the whole.
_KEPT_KEYS = {"port", "ready", "health", "drain_s", "stop_s", "instances"}


def places_of(lane: Lane, release: Release, spec: DockerSpec, index: int | str) -> dict[str, str]:
    """What is filled in for `{service}` and the like."""
    return {
        "service": release.service,
        "version": release.version,
        "environment": lane.environment,
        "instance": str(index),
        "port": str(spec.port or ""),
    }


def labels_of(
    owner: str, lane: Lane, release: Release, spec: DockerSpec, *, order: Order, places: Mapping[str, str]
) -> dict[str, str]:
    """The release's own labels, and Slipway's. order: the one for which it is started."""
    rollout = {ROLLOUT: str(order.rollout)} if order.rollout is not None else {}
    return {
        **{name: fill(value, places) for name, value in spec.labels.items()},
        OWNER: owner,
        SERVICE: lane.service,
        ENVIRONMENT: lane.environment,
        VERSION: release.version,
        DIGEST: release.digest,
        GENERATION: str(order.generation),
        **rollout,
        _KEPT: json.dumps(spec.model_dump(mode="json", include=_KEPT_KEYS, exclude_unset=True)),
    }


def lane_of(labels: Mapping[str, str]) -> Lane:
    """Raises KeyError."""
    return Lane(labels[SERVICE], labels[ENVIRONMENT])


def kept_in(labels: Mapping[str, str]) -> Mapping[str, Any]:
    """The part of the spec that is kept in labels. Raises KeyError, ValueError."""
    kept: Mapping[str, Any] = json.loads(labels[_KEPT])
    return kept

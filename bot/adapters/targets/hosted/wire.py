"""JSON form of desired and observed states, between bot and host and in the host's state files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from bot.adapters.lane_files import release_from_json, release_to_json
from bot.domain.rollout.model import Desired, HostAbort, Observed, Running, RunState
from bot.ports.data_plane.routers import RouterCounts

Json = dict[str, Any]

# Longest line of the protocol; a desired state with many releases is far shorter.
MAX_LINE = 1 << 20


def desired_to_json(desired: Desired) -> Json:
    return {
        "generation": desired.generation,
        "stable": release_to_json(desired.stable) if desired.stable else None,
        "candidate": release_to_json(desired.candidate) if desired.candidate else None,
        "weight": desired.weight,
        "warm": [release_to_json(release) for release in desired.warm],
    }


def desired_from_json(stored: Json) -> Desired:
    stable, candidate = stored["stable"], stored["candidate"]
    return Desired(
        generation=int(stored["generation"]),
        stable=release_from_json(stable) if stable else None,
        candidate=release_from_json(candidate) if candidate else None,
        weight=int(stored["weight"]),
        warm=tuple(release_from_json(release) for release in stored["warm"]),
    )


def abort_to_json(abort: HostAbort | None) -> Json | None:
    return {**asdict(abort), "at": abort.at.isoformat()} if abort else None


def abort_from_json(stored: Json | None) -> HostAbort | None:
    if stored is None:
        return None
    return HostAbort(**{**stored, "at": datetime.fromisoformat(stored["at"])})


def observed_to_json(observed: Observed) -> Json:
    return {
        "generation": observed.generation,
        "running": [asdict(running) for running in observed.running],
        "abort": abort_to_json(observed.abort),
    }


def observed_from_json(stored: Json) -> Observed:
    return Observed(
        generation=stored["generation"],
        running=tuple(Running(**{**r, "state": RunState(r["state"])}) for r in stored["running"]),
        abort=abort_from_json(stored["abort"]),
    )


def counts_to_json(counts: RouterCounts) -> Json:
    return asdict(counts)

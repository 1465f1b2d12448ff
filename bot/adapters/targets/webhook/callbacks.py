"""Callbacks of webhooks: outcomes of orders that were accepted with 202, written into the order's folder."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.adapters import signing
from bot.adapters.commands.jobs import Job, JobState
from bot.adapters.lane_files import folder_name
from bot.adapters.targets.jobs.lane import LaneFolder, LaneState
from bot.adapters.targets.webhook import sender
from bot.domain.rollout.model import Lane
from bot.domain.secret import Secret

_MOST_SAID = 128 * 1024


class Callback(BaseModel):
    """Body of a callback. `key`: the order's `Idempotency-Key`. `running` only says something on the way."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    state: Literal["running", "succeeded", "failed"]
    message: str = Field(default="", max_length=4000)


class Callbacks:
    """Takes callbacks. `lanes`: the folder of lanes. `secret`: that of a lane's webhook, None where it has none."""

    def __init__(
        self, lanes: Path, secret: Callable[[Lane], Secret | None], now: Callable[[], float] = time.time
    ) -> None:
        self._lanes = lanes
        self._secret = secret
        self._now = now

    def receive(self, lane: Lane, timestamp: str, signed: str, body: bytes) -> tuple[int, str]:
        """Status and sentence of the answer. A callback may be repeated; each is taken once."""
        secret = self._secret(lane)
        if secret is None:
            return 404, "No webhook deploys this service there."
        if problem := signing.problem(secret.reveal(), timestamp, signed, body, self._now()):
            return 401, problem
        try:
            callback = Callback.model_validate_json(body)
        except ValidationError as bad:
            where = ", ".join(".".join(map(str, error["loc"])) or "body" for error in bad.errors())
            return 422, f"The body is not a callback: {where}."
        look = LaneFolder(self._lanes / folder_name(lane)).read()
        if look is None or look.job is None:
            return 404, f"{lane} has no order."
        if callback.key != idempotency_key(lane, look.state):
            return 409, "This order was superseded by a newer one."
        return _taken(look.job, look.job_state, callback, signed)


def idempotency_key(lane: Lane, state: LaneState) -> str:
    """The same for the same order, also when it is sent again after everything was killed."""
    order = state.order
    said = [str(lane), order.generation, order.stable, order.candidate, order.weight, state.action]
    return f"{order.generation}-{hashlib.sha256(repr(said).encode()).hexdigest()[:24]}"


def _taken(job: Job, state: JobState, callback: Callback, signed: str) -> tuple[int, str]:
    seen = job.folder / "seen"
    if seen.exists() and signed in seen.read_text().split():
        return 200, "Known already."
    outcome = job.read(sender.CALLBACK)
    if outcome is not None:
        same = outcome["state"] == callback.state
        return (200, "Known already.") if same else (409, f"The order has {outcome['state']} already.")
    if state is JobState.ENDED:
        return 409, "The order is over: Slipway did not wait for this callback, or no longer."
    with seen.open("a") as file:
        file.write(f"{signed}\n")
    if callback.state == "running":
        return _said(job, callback)
    if not _first(job.folder / sender.CALLBACK, callback.model_dump_json().encode()):
        return _taken(job, state, callback, "")
    return 200, "Taken."


def _said(job: Job, callback: Callback) -> tuple[int, str]:
    path = job.folder / sender.SAID
    if path.exists() and path.stat().st_size > _MOST_SAID:
        return 429, "That is enough to read for one order."
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{callback.message.rstrip()}\n")
    return 200, "Taken."


def _first(path: Path, content: bytes) -> bool:
    """Write a file as a whole unless it is there; whether it was not."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    beside.write_bytes(content)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    return True

"""The `DeployTarget` of webhooks: each order is a request, sent and awaited by a job that outlives Slipway."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bot.adapters.base_environment import base_environment
from bot.adapters.commands.jobs import Command, Job
from bot.adapters.targets.context import TargetContext, target_kind
from bot.adapters.targets.jobs.lane import JobOrder, LaneState, Named
from bot.adapters.targets.jobs.settings import LaneAddressPart
from bot.adapters.targets.jobs.target import JobTarget
from bot.adapters.targets.webhook import sender
from bot.adapters.targets.webhook.callbacks import idempotency_key
from bot.adapters.targets.webhook.settings import (
    WebhookSpec,
    WebhookSpecSettings,
    WebhookTargetSettings,
    parse_spec,
)
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.targets import ORDERED_BY

# Below this path of Slipway's web server, callbacks arrive: /hooks/deploys/SERVICE/ENVIRONMENT.
CALLBACKS = "/hooks/deploys"
_GRACE_S = 1.0


class WebhookTarget(JobTarget[WebhookTargetSettings]):
    """Tells another system what to deploy."""

    def check(self, release: Release) -> None:
        parse_spec(release)

    def private(self, release: Release) -> set[str]:
        return {self.settings.secret.reveal()}

    def order_command(self, lane: Lane, state: LaneState, job: Job) -> Command:
        key = idempotency_key(lane, state)
        body = _told(lane, state, weights=self.settings.weights) | {
            "key": key,
            "data": dict(WebhookSpec.model_validate(dict(self.spec(lane))).data),
        }
        if self.settings.callback is not None:
            path = f"{CALLBACKS}/{quote(lane.service, safe='')}/{quote(lane.environment, safe='')}"
            body["callback"] = self.settings.callback.rstrip("/") + path
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._sending("POST", self.settings.url, json.dumps(body), headers, str(job.folder))

    def question(self, lane: Lane, order: JobOrder) -> Command | None:
        if self.settings.observe is None:
            return None
        headers = {"Slipway-Service": lane.service, "Slipway-Environment": lane.environment}
        return self._sending("GET", self.settings.observe, "", headers)

    def name(self, action: str) -> str:
        return f"the {action} webhook"

    @property
    def where(self) -> str:
        return self.settings.url

    def _sending(self, method: str, url: str, body: str, headers: Mapping[str, str], *folder: str) -> Command:
        settings = self.settings
        request = {
            "method": method,
            "url": url,
            "body": body,
            "headers": dict(headers),
            "timeout_s": settings.request_timeout,
        }
        env = {sender.REQUEST: json.dumps(request), sender.SECRET: settings.secret.reveal()}
        timeout_s = settings.timeout if folder else settings.request_timeout + 1.0
        argv = (sys.executable, "-I", sender.__file__, *folder)
        return Command(argv, {**base_environment(), **env}, None, timeout_s, _GRACE_S)


def make_webhook_target(
    settings: WebhookTargetSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
) -> WebhookTarget:
    return WebhookTarget(settings, lanes, context)


def _told(lane: Lane, state: LaneState, *, weights: bool) -> dict[str, Any]:
    """What every order says."""
    order = state.order
    return {
        "action": state.action,
        "service": lane.service,
        "environment": lane.environment,
        "generation": order.generation,
        "rollout": ORDERED_BY.get(),
        "release": _named(order.brings),
        "stable": _named(order.stable),
        "candidate": _named(order.candidate),
        **({"weight": order.weight} if weights else {}),
    }


def _named(release: Named | None) -> dict[str, str] | None:
    if release is None:
        return None
    return {"version": release.version, "digest": release.digest, "commit": release.commit}


KIND = target_kind(
    WebhookTargetSettings, make_webhook_target, spec=WebhookSpecSettings, router=LaneAddressPart
)

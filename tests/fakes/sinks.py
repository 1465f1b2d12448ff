"""PagerDuty, Slack and Sentry as far as alerts are told to them: strict about every documented field and limit.

Each says what is wrong with a request as the real one would refuse it, and keeps what it was told.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SLACK_PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
SENTRY_KEY, SENTRY_PROJECT = "a1b2c3d4e5f60718293a4b5c6d7e8f90", "42"
_SCOPES = {"routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"}
_PAYLOAD = {
    "summary",
    "source",
    "severity",
    "timestamp",
    "component",
    "group",
    "class",
    "custom_details",
}
_LINK = re.compile(r"<(https?://[^|<>\s]+)\|([^|<>]+)>")
_ENTITY = re.compile(r"&(amp|lt|gt);")


@dataclass
class SinkService:
    """What all have. answers: given instead of the own ones, one after the other: status, text, headers."""

    url: str = ""
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.answers:
            status, text, headers = self.answers.pop(0)
            return web.Response(status=status, text=text, headers=headers)
        return self.take(request, body)

    def take(self, request: web.Request, body: bytes) -> web.Response:
        raise NotImplementedError


@dataclass
class PagerDuty(SinkService):
    """Events API v2 of one service. incidents: state by deduplication key. dropped: events about none that is open."""

    incidents: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def take(self, request: web.Request, body: bytes) -> web.Response:
        event = json.loads(body)
        wrong = list(self.wrong(request, body, event))
        if wrong:
            self.mistakes += wrong
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
            return web.json_response(said, status=400)
        self.got.append(event)
        self._apply(event["event_action"], event["dedup_key"])
        done = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return web.json_response(done, status=202)

    def _apply(self, action: str, key: str) -> None:
        state = self.incidents.get(key, "resolved")
        if action == "trigger":
            if state == "resolved":
                self.opened.append(key)
                self.incidents[key] = "triggered"
        elif state == "resolved":
            self.dropped.append(action)
        else:
            self.incidents[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]

    def wrong(self, request: web.Request, body: bytes, event: Mapping[str, Any]) -> Iterator[str]:
        if request.path != "/v2/enqueue" or request.content_type != "application/json":
            yield "not a request to /v2/enqueue with JSON"
        if len(body) > 512 * 1024:
            yield "larger than 512 KB"
        if event.get("routing_key") != ROUTING_KEY:
            yield "'routing_key' is invalid"
        if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            yield "'event_action' is missing or invalid"
        yield from (f"unknown field {name}" for name in set(event) - _SCOPES)
        key = event.get("dedup_key")
        if not (isinstance(key, str) and 0 < len(key) <= 255):
            yield "'dedup_key' must have 1 to 255 characters"
        for link in event.get("links", []):
            if not (set(link) <= {"href", "text"} and link.get("href", "").startswith("http")):
                yield "a link needs an href"
        if event.get("event_action") == "trigger":
            yield from self._payload(event.get("payload"))

    def _payload(self, payload: Any) -> Iterator[str]:
        if not isinstance(payload, dict):
            yield "'payload' is missing"
            return
        yield from (f"unknown field payload.{name}" for name in set(payload) - _PAYLOAD)
        for name in ("summary", "source"):
            if not (isinstance(payload.get(name), str) and payload[name].strip()):
                yield f"'payload.{name}' is missing or blank"
        if len(payload.get("summary", "")) > 1024:
            yield "'payload.summary' is longer than 1024 characters"
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            yield "'payload.severity' is invalid (must be one of: critical, warning, error, info)"
        if datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
            yield "'payload.timestamp' has no time zone"


@dataclass
class Slack(SinkService):
    """An incoming webhook. got: the messages."""

    def take(self, request: web.Request, body: bytes) -> web.Response:
        if request.path != SLACK_PATH:
            return web.Response(status=404, text="no_service")
        message = json.loads(body)
        wrong = list(self.wrong(message))
        if wrong:
            self.mistakes += wrong
            return web.Response(status=400, text="invalid_blocks")
        self.got.append(message)
        return web.Response(text="ok")

    def wrong(self, message: Mapping[str, Any]) -> Iterator[str]:
        known = {"text", "blocks", "mrkdwn", "unfurl_links", "unfurl_media"}
        yield from (f"unknown field {name}" for name in set(message) - known)
        if not message.get("text") or len(message["text"]) > 4000:
            yield "text must have 1 to 4000 characters"
        yield from self._escaped(message["text"])
        if not 0 < len(message["blocks"]) <= 50:
            yield "must have 1 to 50 blocks"
        for block in message["blocks"]:
            yield from self._block(block)

    def _block(self, block: Mapping[str, Any]) -> Iterator[str]:
        match block["type"]:
            case "header":
                yield from self._text(block["text"], 150, {"plain_text"})
            case "section":
                if "text" not in block and "fields" not in block:
                    yield "a section needs a text or fields"
                if "text" in block:
                    yield from self._text(block["text"], 3000)
                if not 0 < len(block.get("fields", [1])) <= 10:
                    yield "a section has 1 to 10 fields"
                for each in block.get("fields", []):
                    yield from self._text(each, 2000)
            case "context":
                if not 0 < len(block["elements"]) <= 10:
                    yield "a context has 1 to 10 elements"
                for each in block["elements"]:
                    yield from self._text(each, 3000)
            case other:
                yield f"unsupported type: {other}"

    def _text(
        self,
        text: Mapping[str, Any],
        most: int,
        kinds: frozenset[str] | set[str] = frozenset({"plain_text", "mrkdwn"}),
    ) -> Iterator[str]:
        if text["type"] not in kinds or set(text) - {"type", "text", "emoji", "verbatim"}:
            yield f"no text of Slack: {sorted(text)}"
        if "emoji" in text and text["type"] != "plain_text":
            yield "emoji is for plain_text"
        if not 0 < len(text["text"]) <= most or len(text["text"].encode("utf-16-le")) // 2 > most:
            yield f"must be less than {most + 1} characters"
        plain = _LINK.sub("", text["text"]) if text["type"] == "mrkdwn" else text["text"]
        yield from self._escaped(plain)

    def _escaped(self, text: str) -> Iterator[str]:
        if "<" in text or ">" in text or "&" in _ENTITY.sub("", text):
            yield f"control characters are not escaped: {text[:80]!r}"
        if re.search(r"@(here|channel|everyone)", text, re.IGNORECASE):
            yield f"a mention: {text[:80]!r}"


@dataclass
class Sentry(SinkService):
    """Envelopes of one project. got: events, each id once."""

    def take(self, request: web.Request, body: bytes) -> web.Response:
        if request.path != f"/api/{SENTRY_PROJECT}/envelope/":
            return web.json_response({"detail": "bad sentry DSN"}, status=400)
        if f"sentry_key={SENTRY_KEY}" not in request.headers.get("X-Sentry-Auth", ""):
            return web.json_response({"detail": "with_reason: ProjectId"}, status=403)
        if request.content_type != "application/x-sentry-envelope":
            self.mistakes.append("not an envelope")
        head, items = json.loads(body.partition(b"\n")[0]), body.partition(b"\n")[2]
        about, _, rest = items.partition(b"\n")
        item = json.loads(about)
        content = rest[: item["length"]]
        event = json.loads(content)
        if rest[item["length"] :].strip() or item["type"] != "event" or head["event_id"] != event["event_id"]:
            self.mistakes.append("not an envelope with one event")
        if len(content) > 1024 * 1024:
            return web.json_response({"detail": "envelope exceeded size limits"}, status=413)
        self.mistakes += self.wrong(event)
        if event["event_id"] not in [known["event_id"] for known in self.got]:
            self.got.append(event)
        return web.json_response({"id": event["event_id"]})

    def wrong(self, event: Mapping[str, Any]) -> Iterator[str]:
        if not re.fullmatch("[0-9a-f]{32}", event["event_id"]):
            yield "event_id is not 32 hexadecimal digits"
        if event["level"] not in ("fatal", "error", "warning", "info", "debug"):
            yield f"level {event['level']}"
        if not 0 < len(event["logentry"]["formatted"]) <= 8192:
            yield "a message has 1 to 8192 characters"
        if not re.fullmatch(r"[^\n\r\f/]{1,64}", event["environment"]):
            yield f"environment {event['environment']!r}"
        if any(len(key) > 200 or len(value) > 200 for key, value in event["tags"].items()):
            yield "a tag longer than 200 characters"
        if not event["fingerprint"] or not all(isinstance(each, str) for each in event["fingerprint"]):
            yield "fingerprint is not a list of texts"
        if len(event.get("release", "")) > 200 or event["server_name"] != "slipway":
            yield "release or server_name"
        leaked = [name for name in ("modules", "user", "request", "exception", "threads") if event.get(name)]
        leaked += ["breadcrumbs"] * bool(event.get("breadcrumbs", {}).get("values"))
        yield from (f"{name} of this process" for name in leaked)


@asynccontextmanager
async def serving(*services: SinkService) -> AsyncIterator[None]:
    """Serve them. Fails the test for a request with a mistake."""
    runners = []
    try:
        for service in services:
            app = web.Application(client_max_size=4 * 1024 * 1024)
            app.router.add_post("/{path:.*}", service.handle)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
    finally:
        for runner in runners:
            await runner.cleanup()
    assert [mistake for service in services for mistake in service.mistakes] == []

"""Slack: a message for each change of an alert, through an incoming webhook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.http_client import SinkContext, insecure, send, sink_kind
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import SecretText

# Slack's limits, in characters as they are sent.
_HEADER, _SECTION, _FIELD, _FIELDS = 150, 3000, 2000, 10
_MENTIONS = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)


class SlackSettings(SinkSettings):
    """Messages in a channel of Slack, through an incoming webhook."""

    kind: Literal["slack"]
    url: SecretText = Field(description="The webhook's address, which is a secret: ${NAME}.")

    def problems(self) -> Iterator[SettingsProblem]:
        yield from insecure("url", self.url.reveal())


class SlackSink:
    """Implements `bot.ports.watch.sinks.AlertSink`."""

    def __init__(self, name: str, settings: SlackSettings, context: SinkContext) -> None:
        self._settings = settings
        self._session = context.session

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        return f'post "{wording.headline(alert, known)}" to Slack'

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        reply = await send(
            self._session,
            "Slack",
            "POST",
            self._settings.url.reveal(),
            body=json.dumps(_message(alert, known)).encode(),
            headers={"Content-Type": "application/json"},
            timeout_s=self._settings.timeout,
        )
        if reply.status != 200:
            raise reply.refusal("Slack")
        return "posted."


def _message(alert: AlertSnapshot, known: Known | None) -> dict[str, Any]:
    headline, title = wording.headline(alert, known), wording.title(alert)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(headline, _HEADER)},
        {"type": "section", "text": _plain(title, _SECTION)},
    ]
    if said := wording.text(alert):
        blocks.append({"type": "section", "text": _plain(said, _SECTION)})
    fields = [_plain(f"{name}\n{value}", _FIELD) for name, value in wording.details(alert)]
    blocks.append({"type": "section", "fields": fields[:_FIELDS]})
    links = [f"<{url.replace('&', '&amp;')}|{name}>" for name, url in wording.links(alert)]
    if links:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(links)}]})
    return {
        "text": _escaped(f"{headline}: {title}", _SECTION),  # for notifications, and clients without blocks
        "blocks": blocks,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _plain(text: str, longest: int) -> dict[str, Any]:
    """A text in which nothing but entities means anything."""
    return {"type": "plain_text", "text": _escaped(text, longest), "emoji": False}


def _escaped(text: str, longest: int) -> str:
    """Slack's three control characters as entities, and no mention; at most `longest` characters as it is sent."""
    text = _MENTIONS.sub("@\u200b", text)
    found: list[str] = []
    left = longest - 1
    for char in text:
        sent = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(char, char)
        left -= 2 if ord(char) > 0xFFFF else len(sent)
        if left < 0:
            return f"{''.join(found)}…"
        found.append(sent)
    return "".join(found)


KIND = sink_kind(SlackSettings, SlackSink)

"""GitHub: an issue for each alert, opened once, found again by a marker, and closed when the alert is over."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.posting import SinkContext, SinkReply, insecure, send
from bot.adapters.sources.github import limited_until
from bot.domain.watch.alerts.alert import AlertState
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import Duration, HttpUrl, SecretText, shaped

# GitHub's limits, in characters.
_TITLE, _LABEL = 256, 50
_PAGE, _PAGES = 100, 10
_ANSWER_S = 10.0
# Clocks of both sides may be apart by so much.
_MARGIN = timedelta(minutes=10)

_Repository = Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")]
_Label = Annotated[
    str, *shaped(rf"^[^,\r\n]{{1,{_LABEL}}}$", f"a label of at most {_LABEL} characters, without comma")
]


class GithubSinkSettings(SinkSettings):
    """Issues of a repository on GitHub."""

    kind: Literal["github"]
    repository: _Repository = Field(description="owner/name")
    token: SecretText = Field(description="Token that may write issues of the repository: ${NAME}.")
    label: _Label = Field(
        default="alert", description="The label of the issues; it must be there to find them."
    )
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )

    timeout: Duration = Field(
        default=30.0, description="How long one delivery may take, which is several requests."
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from insecure("api", self.api)


class GithubSink:
    """Implements `bot.ports.watch.sinks.AlertSink`."""

    def __init__(self, name: str, settings: GithubSinkSettings, context: SinkContext) -> None:
        self._settings = settings
        self._session = context.session
        self._issues = f"{settings.api.rstrip('/')}/repos/{settings.repository}/issues"

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        where = self._settings.repository
        if known is None:
            return "" if alert.state is AlertState.RESOLVED else f"open an issue in {where}"
        if alert.state is AlertState.RESOLVED:
            return f"close its issue in {where}"
        return f'write "{wording.headline(alert, known)}" in its issue in {where}'

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        number = await self._find(alert)
        if alert.state is AlertState.RESOLVED:
            if number is None:
                return "there is no issue to close."
            await self._ask(
                "PATCH", f"/{number}", {"state": "closed", "state_reason": "completed"}, expected=200
            )
            return f"#{number} closed."
        if number is None:
            return f"#{await self._open(alert, known)} opened."
        if known is not None:
            await self._ask("POST", f"/{number}/comments", {"body": _body(alert, known)}, expected=201)
        return f"#{number} says it."

    async def _open(self, alert: AlertSnapshot, known: Known | None) -> int:
        title = wording.title(alert)
        made = await self._ask(
            "POST",
            "",
            {
                "title": title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…",
                "body": f"{_body(alert, known)}\n{_marker(alert)}\n",
                "labels": [self._settings.label],
            },
            expected=201,
        )
        number = int(made["number"])
        if self._settings.label not in [_name(label) for label in made.get("labels", ())]:
            # Left out silently for tokens that may not write; it would never be found and closed.
            why = f'it has no label "{self._settings.label}": the token needs to write issues'
            raise SinkRefused(f"issue #{number} was opened, but {why}")
        return number

    async def _find(self, alert: AlertSnapshot) -> int | None:
        """The alert's issue, open or closed."""
        marker = _marker(alert)
        since = (alert.since - _MARGIN).astimezone(UTC)
        for page in range(1, _PAGES + 1):
            query = {
                "state": "all",
                "labels": self._settings.label,
                "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
                "per_page": str(_PAGE),
                "page": str(page),
            }
            issues: Sequence[Mapping[str, Any]] = await self._ask("GET", "", query, expected=200)
            for issue in issues:
                if marker in (issue.get("body") or ""):
                    return int(issue["number"])
            if len(issues) < _PAGE:
                break
        return None

    async def _ask(self, method: str, path: str, said: Mapping[str, Any], *, expected: int) -> Any:
        """The JSON of the answer. said: the query of a GET, or else the body."""
        url = f"{self._issues}{path}"
        body: bytes | None = json.dumps(said).encode()
        if method == "GET":
            url, body = f"{url}?{urlencode(said)}", None
        reply = await send(
            self._session,
            "GitHub",
            method,
            url,
            body=body,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._settings.token.reveal()}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            timeout_s=_ANSWER_S,
        )
        if reply.status != expected:
            raise _refusal(reply, self._settings.repository)
        try:
            return json.loads(reply.text)
        except ValueError:
            raise Unreachable("GitHub's answer cannot be read") from None


def _refusal(reply: SinkReply, repository: str) -> Exception:
    now = time.time()
    until = limited_until(reply.status, reply.headers, now)
    if until is not None:
        return RateLimited("GitHub allows no more requests for now", max(1.0, until - now))
    if reply.status in (401, 403):
        return SinkRefused(f"GitHub refuses the token ({reply.status})")
    if reply.status in (404, 410):
        return SinkRefused(f"{repository} is not there, has no issues, or this token may not see it")
    return reply.refusal("GitHub")


def _marker(alert: AlertSnapshot) -> str:
    """In a comment of the body that is not shown; a hash, so no text of an alert can end it."""
    return f"<!-- slipway-alert {hashlib.sha256(alert.key.encode()).hexdigest()} -->"


def _body(alert: AlertSnapshot, known: Known | None) -> str:
    """What it says in a block of code, where neither mentions nor marks mean anything."""
    lines = [wording.title(alert), *(f"{name}: {value}" for name, value in wording.details(alert))]
    if said := wording.text(alert):
        lines += ["", said]
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    links = "".join(f"- [{name}](<{url}>)\n" for name, url in wording.links(alert))
    headline = "Acknowledged" if alert.state is AlertState.ACKNOWLEDGED else wording.headline(alert, known)
    return f"**{headline}**\n\n{fence}text\n{text}\n{fence}\n\n{links}"


def _name(label: Any) -> str:
    return str(label.get("name", "")) if isinstance(label, Mapping) else str(label)

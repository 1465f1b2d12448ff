"""Issues of one repository on GitHub: found by a marker in their body, and opened once."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.adapters.alerts.sinks.http_client import SinkReply, send
from bot.adapters.sources.github import limited_until
from bot.ports.errors import RateLimited, SinkRefused, Unreachable

# GitHub's limit, in characters.
_TITLE = 256
_PAGE, _PAGES = 100, 10
_ANSWER_S = 10.0
# Clocks of both sides may be apart by so much.
_MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FoundIssue:
    number: int
    closed: bool


class IssueClient:
    """Raises `Unreachable`, `RateLimited`: try again; `SinkRefused`: do not."""

    def __init__(self, api: str, repository: str, token: str, session: aiohttp.ClientSession) -> None:
        self._repository = repository
        self._token = token
        self._session = session
        self._issues = f"{api.rstrip('/')}/repos/{repository}/issues"

    async def find(self, marker: str, label: str, since: datetime) -> FoundIssue | None:
        """The issue with the marker in its body, open or closed. since: it was made then or later."""
        after = (since - _MARGIN).astimezone(UTC)
        for page in range(1, _PAGES + 1):
            query = {
                "state": "all",
                "labels": label,
                "since": f"{after:%Y-%m-%dT%H:%M:%SZ}",
                "per_page": str(_PAGE),
                "page": str(page),
            }
            issues: Sequence[Mapping[str, Any]] = await self.ask("GET", "", query, expected=200)
            for issue in issues:
                if marker in (issue.get("body") or ""):
                    return FoundIssue(int(issue["number"]), issue["state"] == "closed")
            if len(issues) < _PAGE:
                break
        return None

    async def open(self, title: str, body: str, label: str, assignees: Sequence[str] = ()) -> int:
        """Its number. Refused without the label: it would never be found again."""
        said: dict[str, object] = {
            "title": title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…",
            "body": body,
            "labels": [label],
        }
        if assignees:
            said["assignees"] = list(assignees)
        made = await self.ask("POST", "", said, expected=201)
        number = int(made["number"])
        if label not in [_name(each) for each in made.get("labels", ())]:
            # Left out silently for tokens that may not write; it would never be found and closed.
            why = f'it has no label "{label}": the token needs to write issues'
            raise SinkRefused(f"issue #{number} was opened, but {why}")
        return number

    async def ask(self, method: str, path: str, said: Mapping[str, Any], *, expected: int) -> Any:
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
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            timeout_s=_ANSWER_S,
        )
        if reply.status != expected:
            raise _refusal(reply, self._repository)
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


def marker_of(kind: str, key: str) -> str:
    """In a comment of the body that is not shown; a hash, so no text of others can end it."""
    return f"<!-- slipway-{kind} {hashlib.sha256(key.encode()).hexdigest()} -->"


def as_code(text: str) -> str:
    """The text in a block of code, where neither mentions nor marks mean anything."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _name(label: Any) -> str:
    return str(label.get("name", "")) if isinstance(label, Mapping) else str(label)

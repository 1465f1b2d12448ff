"""Commits between two releases, from GitHub's comparison."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bot.adapters.sources.fetching import Fetcher
from bot.domain.config import Repository
from bot.domain.formatting import one_line
from bot.domain.rollout.changes import Changes
from bot.ports.errors import ManifestUnavailable

TIMEOUT_S = 5.0
# The first page has the changed files too.
_LARGEST = 16 * 2**20
_PAGE, _PAGES = 100, 3
_AUTHORS, _NAME = 5, 40
_MARKS = re.compile(r"[^\w .,'\[\]-]")


class GithubComparison:
    """Implements `bot.ports.changes.ChangeSource`. timeout_s: of all requests together."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    async def look(self, repository: Repository, known: Changes) -> Changes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _Comparing(repository, self._timeout_s).changes(known)
        except TimeoutError:
            problem = f"GitHub did not answer within {self._timeout_s:g} s."
        except _Refused as refused:
            problem = str(refused)
        except ManifestUnavailable as error:
            problem = f"GitHub cannot be asked: {error}"
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            problem = f"GitHub's answer cannot be read ({type(error).__name__})."
        return replace(known, problem=one_line(problem, 300))


class _Refused(Exception):
    """GitHub does not compare them; the sentence says why."""


class _Comparing:
    def __init__(self, repository: Repository, timeout_s: float) -> None:
        self._base = f"{repository.api.rstrip('/')}/repos/{repository.name}/compare"
        self._headers = {"X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
        if repository.token:
            self._headers["Authorization"] = f"Bearer {repository.token.reveal()}"
        self._fetcher = Fetcher(
            hosts=None,
            inside=[urlsplit(repository.api).hostname or ""],
            allow_loopback=repository.api.startswith("http://"),
            largest=_LARGEST,
            timeout_s=timeout_s,
        )

    async def changes(self, known: Changes) -> Changes:
        first = await self._page(known.before, known.after, 1)
        added, removed = int(first["ahead_by"]), int(first["behind_by"])
        if added < 0 or removed < 0:
            raise ValueError
        forth = (known.before, known.after)
        if not added and removed:
            forth = (known.after, known.before)
            first = await self._page(*forth, 1)
        pages = range(2, min(_PAGES, -(-int(first["total_commits"]) // _PAGE)) + 1)
        found = [first, *await asyncio.gather(*(self._page(*forth, page) for page in pages))]
        commits = [commit for page in found for commit in page["commits"]]
        names = [name for name, _ in Counter(filter(None, map(_author, commits))).most_common()]
        whole = len(commits) >= (added or removed)
        return replace(
            known,
            added=added,
            removed=removed,
            authors=tuple(names[:_AUTHORS]),
            others=max(0, len(names) - _AUTHORS),
            read=None if whole else len(commits),
        )

    async def _page(self, before: str, after: str, page: int) -> Mapping[str, Any]:
        url = f"{self._base}/{before}...{after}?per_page={_PAGE}&page={page}"
        async with self._fetcher.session() as session:
            answer = await self._fetcher.ask(session, url, self._headers)
        if answer.status == 404:
            raise _Refused("GitHub does not have both commits, or this token may not see them.")
        left = answer.headers.get("X-RateLimit-Remaining", "")
        if answer.status == 429 or (answer.status == 403 and left == "0"):
            raise _Refused("GitHub allows no more requests for now.")
        if answer.status in (401, 403):
            raise _Refused(f"GitHub refuses the token ({answer.status}).")
        if answer.status != 200:
            raise _Refused(f"GitHub answered {answer.status}.")
        found: Mapping[str, Any] = json.loads(answer.text)
        return found


def _author(commit: Mapping[str, Any]) -> str:
    """The login, or else the name that the commit has, which may be any text: without marks, mentions and links."""
    account, written = commit["author"], commit["commit"]["author"]
    said = (account or {}).get("login") or (written or {}).get("name") or ""
    return one_line(_MARKS.sub("", str(said)), _NAME)

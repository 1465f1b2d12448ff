"""Preconditions from GitHub: checks of a commit, approvals of its pull request, the changelog."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from bot.adapters.sources.fetching import Fetcher
from bot.domain.config import Preconditions
from bot.domain.formatting import counted, one_line
from bot.domain.rollout.model import Precondition, Release
from bot.ports.errors import ManifestUnavailable

# A request of people is answered within two seconds.
TIMEOUT_S = 1.5
_LARGEST = 4 * 2**20
_PAGE, _PAGES = 100, 5
_GREEN = frozenset({"success", "neutral", "skipped"})
# Anyone may review a public repository; these people may write to it.
_TRUSTED = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
_DECIDES = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


class GithubPreconditions:
    """Implements `bot.ports.preconditions.PreconditionSource`."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    async def look(self, wanted: Preconditions, release: Release) -> Sequence[Precondition]:
        github = _Repository(wanted, self._timeout_s)
        asked: dict[str, Awaitable[Precondition]] = {}
        if wanted.checks:
            asked["checks"] = self._in_time("checks", github.checks(release))
        if wanted.approvals:
            asked["pull request"] = self._in_time("pull request", github.approvals(release, wanted.approvals))
        if wanted.changelog:
            asked["changelog"] = self._in_time("changelog", github.changelog(release, wanted.changelog))
        return await asyncio.gather(*asked.values())

    async def _in_time(self, what: str, asked: Awaitable[tuple[bool, str]]) -> Precondition:
        try:
            async with asyncio.timeout(self._timeout_s):
                met, sentence = await asked
        except TimeoutError:
            met, sentence = False, f"GitHub did not answer within {self._timeout_s:g} s."
        except ManifestUnavailable as error:
            met, sentence = False, f"GitHub cannot be asked: {error}"
        except (KeyError, TypeError, ValueError) as error:
            met, sentence = False, f"GitHub's answer cannot be read ({type(error).__name__})."
        return Precondition(what, met, one_line(sentence, 300))


class _Repository:
    """One repository. Each question is answered by whether it holds, and a sentence."""

    def __init__(self, wanted: Preconditions, timeout_s: float) -> None:
        self._base = f"{wanted.api.rstrip('/')}/repos/{wanted.repository}"
        self._headers = {"X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
        if wanted.token:
            self._headers["Authorization"] = f"Bearer {wanted.token.reveal()}"
        self._fetcher = Fetcher(
            hosts=None,
            inside=[urlsplit(wanted.api).hostname or ""],
            allow_loopback=wanted.api.startswith("http://"),
            largest=_LARGEST,
            timeout_s=timeout_s,
        )

    async def checks(self, release: Release) -> tuple[bool, str]:
        commit = _commit(release)
        if not commit:
            return False, _without(release)
        runs, status = await asyncio.gather(
            self._pages(f"/commits/{commit}/check-runs?filter=latest", "check_runs"),
            self._pages(f"/commits/{commit}/status", "statuses"),
        )
        states = {f"run {run['id']}": (run["name"], _state(run)) for run in runs}
        states |= {f"status {one['context']}": (one["context"], one["state"]) for one in status}
        bad = sorted(name for name, state in states.values() if state not in _GREEN and state != "pending")
        pending = sorted(name for name, state in states.values() if state == "pending")
        if not states:
            return False, f"No check has run for {commit[:10]}."
        if bad or pending:
            parts = [f"failed: {_some(bad)}"] if bad else []
            parts += [f"not finished: {_some(pending)}"] if pending else []
            return False, f"Not all checks of {commit[:10]} are green; {'; '.join(parts)}."
        return True, f"{counted(len(states), 'check')} of {commit[:10]} {_are(len(states))} green."

    async def approvals(self, release: Release, needed: int) -> tuple[bool, str]:
        commit = _commit(release)
        if not commit:
            return False, _without(release)
        pulls = await self._get(f"/commits/{commit}/pulls?per_page={_PAGE}")
        merged = [pull for pull in pulls if pull["merged_at"] is not None]
        if not merged:
            return False, f"No merged pull request contains {commit[:10]}."
        number = int(merged[0]["number"])
        people = await self._approving(number, merged[0]["user"])
        if len(people) >= needed:
            return True, f"Pull request #{number} is approved by {_some(people)}."
        return (
            False,
            f"Pull request #{number} has {counted(len(people), 'approval')} of people with write access, "
            f"of {needed} needed.",
        )

    async def _approving(self, number: int, author: Mapping[str, Any] | None) -> list[str]:
        """The people who approved it last, without its author. A comment takes no approval back."""
        last: dict[str, str] = {}
        for page in range(1, _PAGES + 1):
            found = await self._get(f"/pulls/{number}/reviews?per_page={_PAGE}&page={page}")
            for review in found:
                user = review["user"]
                if user and review["state"] in _DECIDES and review["author_association"] in _TRUSTED:
                    last[user["login"]] = review["state"]
            if len(found) < _PAGE:
                break
        own = author["login"] if author else None
        return sorted(login for login, state in last.items() if state == "APPROVED" and login != own)

    async def changelog(self, release: Release, path: str) -> tuple[bool, str]:
        commit = _commit(release)
        if not commit:
            return False, _without(release)
        text = await self._fetcher.get(
            f"{self._base}/contents/{quote(path.lstrip('/'))}?ref={commit}",
            {**self._headers, "Accept": "application/vnd.github.raw+json"},
        )
        version = re.escape(release.version.removeprefix("v"))
        heading = re.compile(rf"^#{{1,6}}\s.*?(?<![\w.])v?{version}(?![\w.+-]*\w)", re.MULTILINE)
        if heading.search(text):
            return True, f"{path} has an entry for {release.version}."
        return False, f"{path} has no heading with {release.version}."

    async def _get(self, path: str) -> Any:
        return json.loads(await self._fetcher.get(self._base + path, self._headers))

    async def _pages(self, path: str, key: str) -> list[Mapping[str, Any]]:
        """All entries below `key`. Raises ValueError for more than are looked at: one of them may have failed."""
        found: list[Mapping[str, Any]] = []
        join = "&" if "?" in path else "?"
        for page in range(1, _PAGES + 1):
            answer = await self._get(f"{path}{join}per_page={_PAGE}&page={page}")
            found += answer[key]
            if len(found) >= answer["total_count"] or not answer[key]:
                return found
        raise ValueError(f"more than {_PAGE * _PAGES} {key}")


def _commit(release: Release) -> str:
    return release.commit if re.fullmatch(r"[0-9a-f]{7,64}", release.commit) else ""


def _without(release: Release) -> str:
    return f"{release.service} {release.version} does not say which commit it is made from."


def _state(run: Mapping[str, Any]) -> str:
    return str(run["conclusion"]) if run["status"] == "completed" else "pending"


def _some(names: Sequence[str]) -> str:
    """The first few; equal names once, with their number."""
    counts = [name if n == 1 else f"{name} ({n})" for name, n in Counter(names).items()]
    rest = len(counts) - 5
    return ", ".join(counts[:5]) + (f" and {rest} more" if rest > 0 else "")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"

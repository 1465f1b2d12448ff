"""Releases of a repository on GitHub."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field

from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.fetching import FetchedAnswer, Fetcher
from bot.adapters.sources.releases import FoundRelease, irreversible, release_kind
from bot.domain.config import Repository
from bot.kinds import ReleaseSettings, S, SettingsProblem
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.values import Duration, HttpUrl, SecretText, Text, shaped

_LARGEST = 16 * 2**20
_PAGE, _PAGES = 100, 10
_VERSION = "{version}"
# A line of the release's notes, perhaps in bold, as a heading, or in a list.
_IRREVERSIBLE = re.compile(r"^[ \t>#*_-]*irreversible[*_]*:[*_]*(.*)$", re.IGNORECASE | re.MULTILINE)
_LONGEST_PAUSE_S = 3600.0
_PAUSE_S = 60.0
_Repository = Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")]


class GithubReleasesSettings(ReleaseSettings[S], Generic[S]):
    """Each published release of a repository on GitHub; drafts are none."""

    kind: Literal["github"]
    repository: _Repository = Field(description="owner/name")
    tag: Text = Field(
        default=_VERSION, description="What tags look like, such as v{version}; others are left out."
    )
    versions: Text | None = Field(
        default=None, description="Regular expression that a version must match as a whole; all by default."
    )
    prereleases: bool = Field(default=False, description="Whether pre-releases are offered too.")
    most: int = Field(default=200, ge=1, le=1000, description="How many versions are offered.")
    token: SecretText | None = Field(
        default=None, description="Token that may read the repository's contents: ${NAME}."
    )
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )
    timeout: Duration = Field(default=5.0, description="How long each answer may take.")

    @property
    def code(self) -> Repository:
        return Repository(self.repository, self.token, self.api)

    def problems(self) -> Iterator[SettingsProblem]:
        if self.tag.count(_VERSION) != 1:
            yield SettingsProblem(("tag",), f'"{self.tag}" must have {_VERSION} once.', "Write v{version}.")
        try:
            re.compile(self.versions or "")
        except re.error as error:
            yield SettingsProblem(("versions",), f'"{self.versions}" is no regular expression: {error}.')


class GithubError(Exception):
    """GitHub does not say it; the sentence says why."""


class GithubReleases:
    """Lists releases and the commits of their tags. Keeps each page with its ETag: one that did not change is not sent.

    When GitHub allows no more requests, it is left alone until it does. clock: seconds since 1970.
    """

    def __init__(
        self, service: str, settings: GithubReleasesSettings[Any], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._spec = settings.spec.said()
        self._before, _, self._after = settings.tag.partition(_VERSION)
        self._wanted = re.compile(settings.versions) if settings.versions else None
        self._base = f"{settings.api.rstrip('/')}/repos/{settings.repository}"
        self._pages: dict[str, tuple[str, str]] = {}
        self._closed_until = 0.0

    async def look(self) -> Sequence[FoundRelease]:
        """Newest first, by the time of publication. Raises `Unreachable` with a sentence."""
        try:
            return await self._read()
        except (GithubError, ManifestUnavailable) as error:
            sentence = str(error).rstrip(".")
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            sentence = f"GitHub's answer cannot be read ({type(error).__name__})"
        raise Unreachable(f"The releases of {self._settings.repository} cannot be read: {sentence}.")

    async def _read(self) -> Sequence[FoundRelease]:
        fetcher = self._fetcher()
        async with fetcher.session() as session:
            found = await self._releases(fetcher, session)
            tags = {release["tag_name"] for _, release in found}
            commits = await self._commits(fetcher, session, tags) if tags else {}
        return [self._release(version, release, commits) for version, release in found]

    async def _releases(
        self, fetcher: Fetcher, session: aiohttp.ClientSession
    ) -> list[tuple[str, Mapping[str, Any]]]:
        found: list[tuple[str, Mapping[str, Any]]] = []
        for page in range(1, _PAGES + 1):
            entries = await self._page(fetcher, session, "releases", page)
            for entry in entries:
                if not entry["draft"] and (self._settings.prereleases or not entry["prerelease"]):
                    version = self._version(entry["tag_name"])
                    found += [(version, entry)] if version else []
            if len(entries) < _PAGE or len(found) >= self._settings.most:
                break
        found.sort(key=lambda each: _time(each[1]), reverse=True)
        return found[: self._settings.most]

    async def _commits(
        self, fetcher: Fetcher, session: aiohttp.ClientSession, wanted: set[str]
    ) -> dict[str, str]:
        """Commits by tag, of those among the first pages: a release says only the branch that its tag was made from."""
        found: dict[str, str] = {}
        for page in range(1, _PAGES + 1):
            entries = await self._page(fetcher, session, "tags", page)
            found |= {entry["name"]: entry["commit"]["sha"] for entry in entries}
            if len(entries) < _PAGE or wanted <= set(found):
                break
        return found

    def _release(self, version: str, entry: Mapping[str, Any], commits: Mapping[str, str]) -> FoundRelease:
        tag, name = entry["tag_name"], entry["name"] or ""
        return FoundRelease(
            version,
            commit=commits.get(tag, ""),
            spec=self._spec,
            made_at=_time(entry),
            subject="" if name in (tag, version) else name,
            repository=self._settings.code.address,
            irreversible=_mark(entry.get("body") or ""),
        )

    def _version(self, tag: str) -> str:
        """The version in a tag; empty for a tag that is no release."""
        before, after = self._before, self._after
        if not (tag.startswith(before) and tag.endswith(after) and len(tag) > len(before) + len(after)):
            return ""
        version = tag[len(before) : len(tag) - len(after)]
        return version if self._wanted is None or self._wanted.fullmatch(version) else ""

    async def _page(
        self, fetcher: Fetcher, session: aiohttp.ClientSession, what: str, page: int
    ) -> Sequence[Mapping[str, Any]]:
        url = f"{self._base}/{what}?per_page={_PAGE}&page={page}"
        if self._clock() < self._closed_until:
            raise GithubError(self._closed())
        etag, known = self._pages.get(url, ("", ""))
        headers = {"X-GitHub-Api-Version": "2022-11-28", "Accept": "application/vnd.github+json"}
        if etag:
            headers["If-None-Match"] = etag
        if self._settings.token:
            headers["Authorization"] = f"Bearer {self._settings.token.reveal()}"
        answer = await fetcher.ask(session, url, headers)
        if answer.status == 304 and etag:
            text = known
        elif answer.status == 200:
            text = answer.text
        else:
            raise GithubError(self._refusal(answer))
        entries: Sequence[Mapping[str, Any]] = json.loads(text)
        if not isinstance(entries, list):
            raise TypeError
        if answer.status == 200:
            self._pages[url] = (answer.headers.get("ETag", ""), text)
        return entries

    def _refusal(self, answer: FetchedAnswer) -> str:
        until = limited_until(answer.status, answer.headers, self._clock())
        if until is not None:
            self._closed_until = until
            return self._closed()
        if answer.status == 404:
            return "GitHub has no such repository, or this token may not see it"
        if answer.status in (401, 403):
            return f"GitHub refuses the token ({answer.status})"
        return f"GitHub answered {answer.status}"

    def _closed(self) -> str:
        until = datetime.fromtimestamp(self._closed_until, UTC)
        hint = "" if self._settings.token else "; with a token it allows more"
        return f"GitHub allows no more requests until {until:%H:%M:%S} UTC{hint}"

    def _fetcher(self) -> Fetcher:
        api = self._settings.api
        return Fetcher(
            hosts=None,
            inside=[urlsplit(api).hostname or ""],
            allow_loopback=api.startswith("http://"),
            largest=_LARGEST,
            timeout_s=self._settings.timeout,
        )


def limited_until(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """When GitHub allows requests again, in seconds since 1970, if this answer says that it allows none."""
    again, left = headers.get("Retry-After", ""), headers.get("X-RateLimit-Remaining", "")
    if status != 429 and not (status == 403 and (again or left == "0")):
        return None
    reset = headers.get("X-RateLimit-Reset", "")
    until = now + float(again) if again.isdigit() else float(reset) if reset.isdigit() else now + _PAUSE_S
    return min(max(until, now), now + _LONGEST_PAUSE_S)


def make_github(service: str, settings: GithubReleasesSettings[Any]) -> CachedReleases:
    return CachedReleases(service, GithubReleases(service, settings).look)


def _mark(notes: str) -> str:
    """What the release's notes say of it after `Irreversible:`."""
    found = _IRREVERSIBLE.search(notes)
    return irreversible(found[1].strip() or True) if found else ""


def _time(entry: Mapping[str, Any]) -> datetime:
    """When it was published; a release that GitHub knows no such time of was not published but made."""
    return datetime.fromisoformat(entry["published_at"] or entry["created_at"])


KIND = release_kind(GithubReleasesSettings, make_github)

"""Client of one image's registry, by the OCI distribution API: tags, and what an image says of itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp

from bot.adapters.sources.fetching import FetchedAnswer, Fetcher
from bot.adapters.sources.releases import irreversible

_PAGE, _PAGES = 1000, 50
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-zA-Z=_-]{1,128}")
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b')
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
# What builders write for an image without a time: the first second of some era.
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class RegistryError(Exception):
    """The registry does not say it; the sentence says why."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself: when it was built, from which commit of which repository, what cannot be undone."""

    created: datetime | None = None
    commit: str = ""
    repository: str = ""
    irreversible: str = ""


class RegistryClient:
    """Asks the registry at `base` for the image `name`. login: user name and password, empty without.

    Raises `RegistryError` and, for what `fetcher` cannot get, `ManifestUnavailable`.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        session: aiohttp.ClientSession,
        base: str,
        name: str,
        login: tuple[str, str] | None,
    ) -> None:
        self._fetcher = fetcher
        self._session = session
        self._base = base
        self._name = name
        self._login = login
        self._authorization = ""

    async def tags(self) -> list[str]:
        """All tags, as the registry sorts them."""
        found: list[str] = []
        url: str | None = f"{self._base}/v2/{self._name}/tags/list?n={_PAGE}"
        for _ in range(_PAGES):
            if url is None:
                return found
            answer = await self._get(url)
            found += self._listed(answer)
            url = self._next(answer)
        if url is None:
            return found
        raise RegistryError(f"it has more than {_PAGES} pages of tags")

    async def facts(self, tag: str) -> ImageFacts:
        """Of the image that the tag has now; of several platforms, the first."""
        manifest = await self._json(f"manifests/{tag}", _MANIFESTS)
        if isinstance(manifest.get("manifests"), list):
            platforms = [each for each in manifest["manifests"] if _runs(each)]
            if not platforms:
                return ImageFacts()
            manifest = await self._json(f"manifests/{_digest(platforms[0])}", _MANIFESTS)
        config = await self._json(f"blobs/{_digest(manifest.get('config'))}", "*/*")
        inner = config.get("config")
        labels = inner.get("Labels") if isinstance(inner, dict) else None
        commit = _label(labels, "org.opencontainers.image.revision")
        known = _COMMIT.fullmatch(commit)
        return ImageFacts(
            created=_time(config.get("created")),
            commit=commit if known else "",
            repository=_label(labels, "org.opencontainers.image.source"),
            irreversible=irreversible(_label(labels, "slipway.irreversible")),
        )

    async def _json(self, path: str, accept: str) -> dict[str, Any]:
        return _object(await self._get(f"{self._base}/v2/{self._name}/{path}", accept))

    def _listed(self, answer: FetchedAnswer) -> list[str]:
        tags = _object(answer).get("tags") or []
        if not isinstance(tags, list):
            raise RegistryError("it answered something else than a list of tags")
        return [tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)]

    def _next(self, answer: FetchedAnswer) -> str | None:
        """The next page, which is on the same server."""
        found = _NEXT.search(answer.headers.get("Link", ""))
        if found is None:
            return None
        url = urljoin(answer.at, str(found[1]))
        if _origin(url) != _origin(self._base):
            raise RegistryError("its next page of tags is on another server")
        return url

    async def _get(self, url: str, accept: str = "application/json") -> FetchedAnswer:
        answer = await self._ask(url, accept)
        if answer.status == 401:
            self._authorization = await self._authorized(answer.headers.get("WWW-Authenticate", ""))
            answer = await self._ask(url, accept)
        if answer.status == 200:
            return answer
        raise RegistryError(_refusal(answer, self._name, self._login is not None))

    async def _ask(self, url: str, accept: str) -> FetchedAnswer:
        headers = {"Accept": accept}
        if self._authorization:
            headers["Authorization"] = self._authorization
        return await self._fetcher.ask(self._session, url, headers)

    async def _authorized(self, challenge: str) -> str:
        """The header that the challenge asks for. Nothing is sent to a server that is not asked for a token."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._login is not None:
            return self._basic()
        if scheme.lower() != "bearer":
            raise RegistryError(f"it needs a login for {self._name}")
        told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        realm = told.get("realm", "")
        if urlsplit(realm).scheme not in ("http", "https"):
            raise RegistryError("it does not say where it gives tokens")
        scope = told.get("scope") or f"repository:{self._name}:pull"
        asked = {"scope": scope} | ({"service": told["service"]} if "service" in told else {})
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"
        headers = {"Authorization": self._basic()} if self._login is not None else {}
        answer = await self._fetcher.ask(self._session, url, headers)
        if answer.status != 200:
            host = urlsplit(realm).hostname
            raise RegistryError(f"{host} gives no token for {self._name} ({answer.status})")
        given = _object(answer)
        token = given.get("token") or given.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise RegistryError("it was given no token that can be used")
        return f"Bearer {token}"

    def _basic(self) -> str:
        assert self._login is not None
        return f"Basic {base64.b64encode(':'.join(self._login).encode()).decode()}"


def _refusal(answer: FetchedAnswer, name: str, with_login: bool) -> str:
    if answer.status == 404:
        return f"it has no image {name}"
    if answer.status in (401, 403):
        return f"it does not show {name} {'to this login' if with_login else 'without a login'}"
    if answer.status == 429:
        again = answer.headers.get("Retry-After", "")
        return f"it allows no more requests now{f', again in {again} s' if again.isdigit() else ''}"
    return f"it answered {answer.status}"


def _object(answer: FetchedAnswer) -> dict[str, Any]:
    try:
        found = json.loads(answer.text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"{answer.at.partition('?')[0]} is not what a registry answers")
    return found


def _label(labels: object, name: str) -> str:
    value = labels.get(name) if isinstance(labels, Mapping) else None
    return value if isinstance(value, str) else ""


def _runs(entry: object) -> bool:
    """Whether an entry of an index is an image, and not a statement about one."""
    platform = entry.get("platform") if isinstance(entry, dict) else None
    return not (isinstance(platform, dict) and platform.get("os") == "unknown")


def _digest(entry: object) -> str:
    digest = entry.get("digest") if isinstance(entry, Mapping) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise RegistryError("its manifest names no digest")
    return digest


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC) if found >= _NO_TIME else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc

"""Releases of a service from the tags of its image."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal
from urllib.parse import urlsplit

from pydantic import Field

from bot.adapters.runtimes.docker.images import ImageUnavailable, Logins, Reference
from bot.adapters.sources.addresses import address, is_loopback
from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.directory import version_key
from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.registry.client import ImageFacts, RegistryClient, RegistryError
from bot.adapters.sources.releases import FoundRelease, overlaid, release_kind
from bot.kinds import ReleaseSettings, S, SettingsProblem, SpecSettings
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.values import Duration, RelativePath, SecretText, Text

_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"
_LARGEST = 4 * 2**20
_AT_ONCE = 8
_VERSION = "{version}"
# Signatures and attestations that are kept under tags of their own, and a tag that is no version.
_NO_RELEASE = re.compile(r"sha256-[0-9a-f]{64}(\..*)?|latest")
_TAG_WITH_VERSION = re.compile(r"[\w.-]*\{version\}[\w.-]*", re.ASCII)


class RegistrySettings(ReleaseSettings[S], Generic[S]):
    """Each tag of an image in a registry is a release."""

    kind: Literal["registry"]
    image: Text | None = Field(
        default=None,
        description="The image, with {version} in its tag (registry.example.com/shop:v{version}); the spec's by "
        "default.",
    )
    versions: Text | None = Field(
        default=None,
        description="Regular expression that a version must match as a whole; all but latest by default.",
    )
    most: int = Field(default=200, ge=1, le=1000, description="How many versions are offered.")
    look_into: int = Field(
        default=0,
        ge=0,
        le=200,
        description="Of how many images, highest version first, the creation time and the commit are read.",
    )
    username: Text | None = Field(default=None, description="User name for the registry.")
    password: SecretText | None = Field(default=None, description="Password or token: ${NAME}.")
    logins: RelativePath | None = Field(
        default=None, description="Docker's config.json with logins (`docker login`), instead of a password."
    )
    ca: RelativePath | None = Field(
        default=None,
        description="Certificate of the authority that signed the registry's, if it is your own.",
    )
    token_host: Text | None = Field(
        default=None,
        description="Host that gives tokens, where that is another one than the registry, inside your network.",
    )
    timeout: Duration = Field(default=5.0, description="How long each answer of the registry may take.")

    @property
    def template(self) -> str:
        """The image with `{version}` in it; empty if there is none."""
        if self.image is None:
            return str(self.spec.said().get("image") or "")
        return self.image if ":" in self.image.rpartition("/")[2] else f"{self.image}:{_VERSION}"

    def layers(self) -> Sequence[tuple[str, SpecSettings]]:
        return [("any", self.own())]

    def own(self) -> SpecSettings:
        """What `image` says of the spec, where releases run as images."""
        spec = type(self.spec)
        return spec.model_validate(
            {"image": self.template} if self.image and "image" in spec.model_fields else {}
        )

    def problems(self) -> Iterator[SettingsProblem]:
        key = ("spec", "image") if self.image is None else ("image",)
        reference = Reference.parse(self.template)
        if not self.template:
            yield SettingsProblem(
                (), "nothing says which image it is.", "Add image: registry.example.com/shop."
            )
        elif "{" in reference.name.replace("{service}", "") or reference.digest:
            yield SettingsProblem(key, f'"{self.template}" names no image of which versions are tags.')
        elif not _TAG_WITH_VERSION.fullmatch(reference.tag):
            yield SettingsProblem(
                key, f'the tag of "{self.template}" has no {_VERSION}.', f"Write :{_VERSION}."
            )
        try:
            re.compile(self.versions or "")
        except re.error as error:
            yield SettingsProblem(("versions",), f'"{self.versions}" is no regular expression: {error}.')
        if (self.username is None) != (self.password is None):
            yield SettingsProblem(
                ("username" if self.password is None else "password",),
                "username and password need each other.",
            )


class RegistryTags:
    """Lists the tags; keeps what images said of themselves as long as their tags exist."""

    def __init__(self, service: str, settings: RegistrySettings[Any]) -> None:
        self._service = service
        self._settings = settings
        reference = Reference.parse(settings.template.replace("{service}", service))
        self._registry = reference.registry
        self._name = reference.name.removeprefix(f"{reference.registry}/")
        if self._registry == _HUB and "/" not in self._name:
            self._name = f"library/{self._name}"
        self._before, _, self._after = reference.tag.partition(_VERSION)
        self._wanted = re.compile(settings.versions) if settings.versions else None
        self._spec = overlaid(settings.own().said(), settings.spec.said())
        self._facts: dict[str, ImageFacts] = {}

    async def look(self) -> Sequence[FoundRelease]:
        """Raises `Unreachable` with a sentence."""
        try:
            versions, facts = await self._read()
        except (RegistryError, ImageUnavailable, ManifestUnavailable) as error:
            sentence = str(error).rstrip(".")
            where = f"{self._registry}/{self._name}"
            raise Unreachable(f"The tags of {where} cannot be read: {sentence}.") from None
        return [self._release(v, facts.get(v, ImageFacts())) for v in versions]

    async def examined(self, found: FoundRelease) -> FoundRelease:
        """`found` with what its image says of itself now. Raises `Unreachable` with a sentence."""
        try:
            login = await self._login()
            fetcher = self._fetcher()
            async with fetcher.session() as session:
                client = RegistryClient(fetcher, session, self._base(), self._name, login)
                said = await client.facts(f"{self._before}{found.version}{self._after}")
        except (RegistryError, ImageUnavailable, ManifestUnavailable) as error:
            where = f"{self._registry}/{self._name}"
            sentence = str(error).rstrip(".")
            raise Unreachable(f"The labels of {where} {found.version} cannot be read: {sentence}.") from None
        self._facts[found.version] = said
        return self._release(found.version, said)

    def _release(self, version: str, said: ImageFacts) -> FoundRelease:
        return FoundRelease(
            version,
            commit=said.commit,
            spec=self._spec,
            made_at=said.created,
            repository=said.repository,
            irreversible=said.irreversible,
        )

    async def _read(self) -> tuple[Sequence[str], dict[str, ImageFacts]]:
        login = await self._login()
        fetcher = self._fetcher()
        async with fetcher.session() as session:
            client = RegistryClient(fetcher, session, self._base(), self._name, login)
            found = {self._version(tag) for tag in await client.tags()} - {""}
            versions = sorted(found, key=version_key, reverse=True)[: self._settings.most]
            seen = versions[: self._settings.look_into]
            await self._look_into(client, seen)
        facts = self._facts = {v: f for v, f in self._facts.items() if v in found}
        created = {v: facts[v].created if v in facts else None for v in seen}
        if all(created.values()):
            # A stable sort: what has the same time stays in the order of versions.
            versions = [
                *sorted(seen, key=lambda v: created[v] or _NEVER, reverse=True),
                *versions[len(seen) :],
            ]
        return versions, facts

    async def _look_into(self, client: RegistryClient, versions: Sequence[str]) -> None:
        """What cannot be read within the time of an answer is read the next time: the list does not wait for it."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def read(version: str) -> None:
            async with limit:
                with contextlib.suppress(RegistryError, ManifestUnavailable):
                    self._facts[version] = await client.facts(f"{self._before}{version}{self._after}")

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeout):
                await asyncio.gather(*(read(v) for v in versions if v not in self._facts))

    def _version(self, tag: str) -> str:
        """The version in a tag; empty for a tag that is no release."""
        before, after = self._before, self._after
        if not (tag.startswith(before) and tag.endswith(after) and len(tag) > len(before) + len(after)):
            return ""
        version = tag[len(before) : len(tag) - len(after)]
        fits = self._wanted.fullmatch(version) if self._wanted else not _NO_RELEASE.fullmatch(tag)
        return version if fits else ""

    def _base(self) -> str:
        host = _HUB_HOST if self._registry == _HUB else self._registry
        plain = self._settings.ca is None and _on_this_machine(host)
        return f"{'http' if plain else 'https'}://{host}"

    def _fetcher(self) -> Fetcher:
        base = urlsplit(self._base())
        return Fetcher(
            hosts=None,
            anywhere=True,
            inside=[each for each in (base.hostname, self._settings.token_host) if each],
            allow_loopback=_on_this_machine(base.netloc),
            largest=_LARGEST,
            timeout_s=self._settings.timeout,
            tls=_trusting(self._settings.ca) if self._settings.ca else None,
        )

    async def _login(self) -> tuple[str, str] | None:
        settings = self._settings
        if settings.username is not None and settings.password is not None:
            return settings.username, settings.password.reveal()
        found = await Logins(settings.logins).login(self._registry)
        if found is None:
            return None
        if "password" not in found:
            raise RegistryError(
                f"the login for {self._registry} is an identity token: write username and password"
            )
        return found["username"], found["password"]


_NEVER = datetime.min.replace(tzinfo=UTC)


class RegistryReleases(CachedReleases):
    """Implements `ExaminingFinder`: the list may know nothing of an image but its tag."""

    def __init__(self, service: str, tags: RegistryTags) -> None:
        super().__init__(service, tags.look)
        self._tags = tags

    async def examined(self, found: FoundRelease) -> FoundRelease:
        return await self._tags.examined(found)


def make_registry(service: str, settings: RegistrySettings[Any]) -> RegistryReleases:
    return RegistryReleases(service, RegistryTags(service, settings))


def _on_this_machine(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    literal = address(name)
    return name == "localhost" or (literal is not None and is_loopback(literal))


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(f"the certificate {ca} cannot be read ({error.strerror or error})") from None


KIND = release_kind(RegistrySettings, make_registry)

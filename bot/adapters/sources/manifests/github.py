"""Manifests from a repository on GitHub."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.manifests.reading import LARGEST, ManifestContext, manifest_kind, parsed
from bot.domain.rollout.model import Release
from bot.kinds import ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable
from bot.values import Duration, HttpUrl, SecretText, shaped

_Repository = Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")]


class GithubSettings(ManifestSettings):
    kind: Literal["github"]
    repository: _Repository = Field(description="owner/name")
    path: str = Field(description="The file in the repository.")
    ref: str = Field(default="HEAD", description="A branch, a tag or a commit.")
    token: SecretText | None = Field(default=None, description="For private repositories: ${NAME}.")
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )
    timeout: Duration = Field(default=10.0, description="How long each answer may take.")

    @property
    def where(self) -> str:
        return f"{self.repository}/{self.path} at {self.ref}"


class GithubManifest:
    """Implements `ManifestReader`."""

    def __init__(self, settings: GithubSettings, context: ManifestContext) -> None:
        self._settings = settings

    async def read(self, release: Release | None) -> SourcedManifest:
        """Read the file at a commit: the ref is resolved first, so that the commit is known."""
        settings = self._settings
        headers = {"X-GitHub-Api-Version": "2022-11-28"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token.reveal()}"
        fetcher = Fetcher(
            hosts=None,
            allow_loopback=settings.api.startswith("http://"),
            largest=LARGEST,
            timeout_s=settings.timeout,
        )
        base = f"{settings.api.rstrip('/')}/repos/{settings.repository}"
        commit = await fetcher.get(
            f"{base}/commits/{settings.ref}", {**headers, "Accept": "application/vnd.github.sha"}
        )
        commit = commit.strip()
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise ManifestUnavailable(f"{settings.repository} has no commit {settings.ref}.")
        raw = {**headers, "Accept": "application/vnd.github.raw+json"}
        text = await fetcher.get(f"{base}/contents/{settings.path.lstrip('/')}?ref={commit}", raw)
        where = f"{settings.repository}/{settings.path} at {commit[:10]}"
        return SourcedManifest(parsed(text, where), where, commit)


KIND = manifest_kind(GithubSettings, GithubManifest)

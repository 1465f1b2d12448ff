"""Settings of webhook targets, and the spec of their releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.adapters.targets.jobs.settings import JobTargetSettings
from bot.domain.rollout.model import Release
from bot.kinds import SettingsProblem, SpecSettings
from bot.ports.errors import TargetRefused
from bot.values import Duration, HttpUrl, SecretText, Text

_SHORTEST = 32


class WebhookTargetSettings(JobTargetSettings):
    """Another system deploys: a signed request tells it what, and it answers at once (2xx) or by a callback (202)."""

    when_away: ClassVar[str] = "check that the other system answers"

    kind: Literal["webhook"]
    url: HttpUrl = Field(description="Where orders are sent: POST with a JSON body.")
    secret: SecretText = Field(description="Signs requests and callbacks; 32 characters or more.")
    callback: HttpUrl | None = Field(
        default=None, description="Address of Slipway's web server as the other system reaches it."
    )
    observe: HttpUrl | None = Field(
        default=None, description="GET prints the version that runs; without it, the last answer is believed."
    )
    request_timeout: Duration = Field(default=10.0, description="How long one answer may take.")

    def problems(self) -> Iterator[SettingsProblem]:
        if len(self.secret.reveal()) < _SHORTEST:
            hint = "Make one with: openssl rand -hex 32."
            yield SettingsProblem(("secret",), f"must have {_SHORTEST} characters or more.", hint)


class WebhookSpecSettings(SpecSettings):
    """What the other system gets for a release, beside what every order says."""

    data: dict[str, Text] | None = Field(
        default=None, description="Passed on as `data`. It is stored, so no place for secrets."
    )


class WebhookSpec(BaseModel):
    """`Release.spec` of a webhook target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Mapping[str, str] = Field(default_factory=dict)


def parse_spec(release: Release) -> WebhookSpec:
    """Raises `TargetRefused`."""
    try:
        return WebhookSpec.model_validate(dict(release.spec))
    except ValidationError as bad:
        where = ", ".join(".".join(map(str, error["loc"])) for error in bad.errors(include_input=False))
        sentence = f"{release.service} {release.version} cannot be deployed by a webhook: {where} in its spec"
        raise TargetRefused(sentence) from None

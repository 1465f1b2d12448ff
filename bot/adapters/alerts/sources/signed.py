"""Webhooks signed over their body alone, as GitHub and Sentry do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from bot.adapters.alerts.sources.delivery import InboundDelivery
from bot.adapters.signing import of_body, same
from bot.domain.secret import Secret
from bot.kinds import AlertSourceSettings, SettingsProblem
from bot.values import SecretText

_SHORTEST = 16


def too_short(key: str, secret: Secret) -> Iterator[SettingsProblem]:
    if len(secret.reveal()) < _SHORTEST:
        hint = "Make one with: openssl rand -hex 32."
        yield SettingsProblem((key,), f"must have {_SHORTEST} characters or more.", hint)


class SignedSettings(AlertSourceSettings):
    """Settings with the secret of signatures."""

    secret: SecretText = Field(
        description="What the other program signs with: ${NAME}; 16 characters or more."
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from too_short("secret", self.secret)


class BodySignature:
    """The check of signatures in `header`, after `prefix`."""

    def __init__(self, settings: SignedSettings, header: str, prefix: str = "") -> None:
        self._secret = settings.secret.reveal()
        self._header = header
        self._prefix = prefix

    def stranger(self, headers: Mapping[str, str]) -> str:
        return "" if headers.get(self._header.lower()) else f"{self._header} is missing."

    def forged(self, delivery: InboundDelivery) -> str:
        expected = f"{self._prefix}{of_body(self._secret, delivery.body)}"
        if same(expected, delivery.header(self._header)):
            return ""
        return f"The signature in {self._header} does not match."

"""A name that resolves, as the system resolves it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.kinds import CheckSettings
from bot.values import Names, shaped

_SHOWN = 5


class DnsSettings(CheckSettings):
    """A name that resolves, by the resolver of Slipway's machine."""

    timed = False

    kind: Literal["dns"]
    name: Annotated[str, *shaped(r"^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$", "a name")] = Field(
        description="The name to resolve."
    )
    addresses: Names = Field(
        default=(), description="Addresses that must all be among those found; any by default."
    )

    @property
    def address(self) -> str:
        return self.name


class DnsCheck:
    """Implements `Check`."""

    def __init__(self, settings: DnsSettings, context: CheckContext) -> None:
        self._settings = settings
        self._resolver = context.resolver

    async def ask(self, subject: CheckSubject) -> None:
        name = self._settings.name
        try:
            answers = await self._resolver.addresses(name)
        except OSError:
            raise CheckFailed(f"{name} should resolve, but does not.") from None
        found = sorted({str(there[0]) for _, _, _, _, there in answers})
        missing = [address for address in self._settings.addresses if address not in found]
        if missing:
            there = ", ".join(found[:_SHOWN]) + ("…" if len(found) > _SHOWN else "")
            raise CheckFailed(f"{name} should resolve to {', '.join(missing)}, but resolves to {there}.")


KIND = check_kind(DnsSettings, DnsCheck)

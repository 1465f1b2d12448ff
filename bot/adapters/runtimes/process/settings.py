"""Settings of the process runtime: an entry of `targets:` in the catalog."""

from __future__ import annotations

import os
import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from bot.adapters.targets.hosted.settings import HostedTargetSettings
from bot.values import shaped

_IDS = re.compile(r"^([1-9]\d{0,9})-([1-9]\d{0,9})$")
HOST = "host"
# Below are accounts of the system; the last id means "none".
_FIRST, _BEYOND = 1000, 2**32 - 1

Users = Annotated[
    str, *shaped(rf"^{HOST}$|{_IDS.pattern}", 'a range of user ids such as "70000-79999", or "host"')
]


class ProcessSettings(HostedTargetSettings):
    """Releases as local processes behind a router, in a separate host process."""

    when_away: ClassVar[str] = "it starts with the bot; `slipway host` runs it on its own"

    kind: Literal["process"]
    users: Users | None = Field(
        default=None,
        description='User ids of releases, one for each lane; "70000-79999" by default where the host is root. '
        '"host": all are the host\'s user, for code that you trust with everything it has.',
    )

    @field_validator("users")
    @classmethod
    def _no_accounts(cls, users: str | None) -> str | None:
        ids = _range(users)
        if ids is not None and not (_FIRST <= ids.start < ids.stop <= _BEYOND):
            raise ValueError(f"a range of user ids from {_FIRST} on, such as 70000-79999")
        return users

    @property
    def isolated(self) -> bool:
        """Whether each lane's releases have a user of their own, with a host of this user."""
        return os.geteuid() == 0 and self.users != HOST

    @property
    def trust(self) -> str:
        return "" if self.isolated else "releases run as the host's user: trusted code only"

    @property
    def ids(self) -> range | None:
        """The range of `users`; None where there is none."""
        return _range(self.users)


def _range(users: str | None) -> range | None:
    found = _IDS.match(users or "")
    return range(int(found[1]), int(found[2]) + 1) if found else None

"""Layers of a lane's settings: defaults, its environment, its service and the service's environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.catalog.diagnostics import KeyPath
from bot.catalog.models import LaneLayer, Service
from bot.catalog.validate import Sections
from bot.domain.rollout.model import Lane


@dataclass(frozen=True, slots=True)
class Said:
    """A value and its place; without a value, `path` is where it is missing."""

    value: Any
    path: KeyPath
    given: bool = True


@dataclass(frozen=True, slots=True)
class Layers:
    """All settings of one lane, the strongest last."""

    lane: Lane
    parts: tuple[tuple[KeyPath, LaneLayer], ...]
    spoilt: frozenset[str]  # keys with a mistake, which must not be reported as missing

    @property
    def path(self) -> KeyPath:
        return self.parts[-1][0]

    def get(self, key: str, default: Any = None) -> Said:
        for path, part in reversed(self.parts):
            value = getattr(part, key, None)
            if key in part.model_fields_set and value is not None:
                return Said(value, (*path, key))
        return Said(default, self.path, given=False)

    def role(self, key: str, default: tuple[str, ...] | None = None) -> Said:
        """Like `get`, for one key of `roles`: each is inherited separately."""
        for path, part in reversed(self.parts):
            value = getattr(part.roles, key)
            if value is not None:
                return Said(value, (*path, "roles", key))
        return Said(default, self.path, given=False)


def layers(sections: Sections, name: str, service: Service, environment: str) -> Layers:
    """The layers of service `name` in `environment`."""
    own: KeyPath = ("services", name, "environments", environment)
    given: list[tuple[KeyPath, LaneLayer | None]] = [
        (("defaults",), sections.defaults),
        (("environments", environment), sections.of("environments").get(environment)),
        (("services", name), service),
        (own, service.environments[environment]),
    ]
    parts = [(path, part) for path, part in given if part is not None]
    if parts[-1][0] != own:
        parts.append((own, LaneLayer()))
    spoilt = {
        str(p[len(path)])
        for path, _ in given
        for p in sections.spoilt
        if len(p) > len(path) and p[: len(path)] == path
    }
    return Layers(Lane(name, environment), tuple(parts), frozenset(spoilt))

"""Bindings of lanes: the adapters' settings as written, without values of the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bot.catalog.diagnostics import KeyPath
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import CheckConfig
from bot.domain.rollout.binding import AdapterBinding, LaneBinding, latency_limit
from bot.domain.rollout.model import Lane, Policy


def binding(
    document: Document,
    sections: Sections,
    lane: Lane,
    *,
    target: str,
    metrics: tuple[str, ...],
    policy: Policy,
    checks: Iterable[tuple[KeyPath, CheckConfig]] = (),
) -> LaneBinding:
    """The binding of a lane without mistakes. checks: those that its plan names, with their places."""
    own: KeyPath = ("services", lane.service, "environments", lane.environment, "router")
    return LaneBinding(
        target=_adapter(document, sections, "targets", target),
        metrics=tuple(_adapter(document, sections, "metrics", name) for name in metrics),
        router=document.as_written(own),
        exclusive=policy.exclusive,
        latency_limit_s=latency_limit(policy.judge),
        checks=tuple(_bound(document, path, check.name, check.settings) for path, check in checks),
    )


def _adapter(document: Document, sections: Sections, section: str, name: str) -> AdapterBinding:
    return _bound(document, (section, name), name, sections.of(section).get(name))


def _bound(document: Document, path: KeyPath, name: str, thing: Any) -> AdapterBinding:
    written = document.as_written(path)
    settings = written if isinstance(written, dict) else {}
    # The same catalog in another folder is the same, unless something in it is relative to that folder.
    folder = (
        Path(document.place(path).file).parent.resolve() if thing and _has_path(thing.model_dump()) else ""
    )
    return AdapterBinding(name, settings, str(folder))


def _has_path(value: Any) -> bool:
    inside = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    )
    return isinstance(value, Path) or any(map(_has_path, inside))

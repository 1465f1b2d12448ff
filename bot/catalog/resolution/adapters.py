"""What adapters are told: release sources, routers, metric sources, in seconds and with absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document

_SECONDS = {"drain", "stop", "timeout", "alive", "request_timeout", "wait"}


def release_source(
    document: Document, sections: Sections, name: str, service: models.Service
) -> dict[str, object]:
    """Settings of the service's release source: `kind`, `spec`, what the kind needs, and `environments`.

    `environments` has what each environment lays over a release's spec.
    """
    at: KeyPath = ("services", name, "releases")
    releases = service.releases
    settings: dict[str, object] = {
        "kind": releases.kind,
        "spec": _spec(document, (*at, "spec"), releases.spec),
    }
    if isinstance(releases, models.ListedReleases):
        settings["versions"] = _versions(document, sections, (*at, "versions"), releases.versions)
    else:
        settings["path"] = _absolute(document, (*at, "path"), releases.path)
    settings["environments"] = {
        environment: _spec(document, ("services", name, "environments", environment, "spec"), own.spec)
        for environment, own in service.environments.items()
        if own is not None
    }
    if not sections.is_spoilt(at):
        _needs_command(document, at, settings)
    return settings


def lane_router(own: models.ServiceEnvironment | None, exclusive: bool) -> dict[str, Any]:
    """How one lane is served: host, port (None: no traffic through us) and times in seconds."""
    settings: dict[str, Any] = {"exclusive": exclusive}
    if own is not None and own.router is not None:
        router = _seconds(own.router)
        if listen := router.pop("listen", None):
            host, _, port = listen.rpartition(":")
            settings |= {"listen_host": host, "listen_port": int(port)}
        settings |= router
    return settings


def metric_source(source: BaseModel) -> dict[str, Any]:
    """Settings of a metric source by the names that its adapter has."""
    plain = source.model_dump(mode="json", exclude_none=True)
    return {f"{key}_s" if key in _SECONDS else key: value for key, value in plain.items()}


def _versions(
    document: Document, sections: Sections, at: KeyPath, versions: tuple[models.Version, ...]
) -> list[dict[str, object]]:
    first: dict[str, KeyPath] = {}
    found: list[dict[str, object]] = []
    for index, version in enumerate(versions):
        place = sections.original((*at, index))
        if version.version in first:
            there = document.place(first[version.version])
            document.wrong(
                place, f'version "{version.version}" is listed twice; the first one is at {there}.'
            )
        first.setdefault(version.version, place)
        spec = _spec(document, (*place, "spec"), version.spec)
        found.append({**version.model_dump(exclude={"spec"}), "spec": spec})
    return found


def _needs_command(document: Document, at: KeyPath, settings: dict[str, Any]) -> None:
    """Every release needs a command, from the common spec, its own, or the environment's."""
    if "command" in settings["spec"] or all("command" in e for e in settings["environments"].values()):
        return
    without = [
        v["version"]
        for v in settings.get("versions", [{"version": "any"}])
        if "command" not in v.get("spec", {})
    ]
    if without:
        document.wrong(at, f"nothing says how to run version {without[0]}.", "Add spec: {command: […]}.")


def _spec(document: Document, at: KeyPath, spec: models.Spec) -> dict[str, object]:
    settings = _seconds(spec)
    if spec.cwd is not None:
        settings["cwd"] = _absolute(document, (*at, "cwd"), spec.cwd)
    if spec.env_file is not None:
        settings["env_file"] = _absolute(document, (*at, "env_file"), spec.env_file)
    if secrets := _referred(document, at):
        settings["secrets"] = secrets
    return settings


def _referred(document: Document, at: KeyPath) -> dict[str, list[str]]:
    """What came from the environment into a spec's command and variables, by the key it stands under."""
    found: dict[str, list[str]] = {}
    for path, values in document.references.items():
        key = path[len(at) :]
        if path[: len(at)] == at and key and key[0] in ("command", "env"):
            name = "command" if key[0] == "command" else ".".join(map(str, key))
            found.setdefault(name, []).extend(values.values())
    return found


def _seconds(part: BaseModel) -> dict[str, Any]:
    """What was said, with the unit in the names of times, as the adapters have them."""
    plain: dict[str, Any] = {}
    for key, value in part.model_dump(exclude_none=True, exclude_unset=True, mode="json").items():
        inner = getattr(part, key)
        name = f"{key}_s" if key in _SECONDS else key
        plain[name] = _seconds(inner) if isinstance(inner, BaseModel) else value
    return plain


def _absolute(document: Document, at: KeyPath, path: str) -> str:
    return str((Path(document.place(at).file).parent / path).resolve())

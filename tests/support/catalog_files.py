"""A small sound catalog to break in tests, read with every kind of adapter that there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from bot import catalog
from bot.catalog import CatalogReloader, Diagnostic
from bot.composition.registry import KINDS
from bot.domain.config import Catalog

# Parts of the catalog below that tests replace: what `releases:` has, and the target by one on a Docker Engine.
LISTED = """\
      kind: listed
      spec: {command: [run, "{version}"], ready: {path: /healthz, timeout: 15s}, drain: 500ms}
      versions: ["2.0", {version: "1.0", commit: abc}]
"""
ON_DOCKER = ("local: {kind: process, users: host}", "local: {kind: docker}")
SOUND = (
    """\
guilds:
  harbor:
    id: "1459747831315891395"
    channels: {deploys: deploys, alerts: alerts}
    roles: {deployer: Deployers, lead: Leads, on-call: On-call}
defaults:
  target: local
  policy: web
  plan: canary
  metrics: [router]
  roles: {deploy: [deployer], rollback: [on-call]}
environments:
  staging: {}
  production: {prerequisite: staging}
targets:
  local: {kind: process, users: host}
metrics:
  router: {kind: router}
approvals:
  leads: {role: lead, quorum: 2, expires: 1h}
plans:
  canary:
    - verify: /healthz
    - gate: leads
    - shift: 5
    - soak: 30m
    - shift: 100
    - observe: 1h30m
  replace:
    - shift: 100
    - observe: 10s
policies:
  web:
    objectives:
      errors: 1%
      latency: {limit: 2s, quantile: 99%}
    rules:
      - error_rate > 5% over 5m
      - {rule: p99 > 5s for 2m, enforce: false}
services:
  checkout:
    releases:
"""
    + LISTED
    + """\
    environments:
      staging: {router: 8401}
      production: {router: "0.0.0.0:8402"}
"""
)


def check(folder: Path, environ: Mapping[str, str] | None = None) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    return catalog.check(folder, KINDS, environ)


def load(folder: Path, environ: Mapping[str, str] | None = None) -> Catalog:
    return catalog.load(folder, KINDS, environ)


def reloader(folder: Path, **more: Any) -> CatalogReloader:
    return CatalogReloader(folder, KINDS, **more)


def write(folder: Path, **files: str) -> Path:
    """`name="text"` becomes `name.yaml`; returns the folder."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(dedent(text))
    return folder


def changed(*changes: tuple[str, str]) -> str:
    """The sound catalog with texts replaced; each must be there."""
    text = SOUND
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, words: str) -> int:
    """The line, from 1, on which `words` first stand."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)

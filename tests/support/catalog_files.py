"""A small sound catalog to break in tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

SOUND = """\
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
  local: {kind: process}
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
      kind: listed
      spec: {command: [run, "{version}"], ready: {path: /healthz, timeout: 15s}, drain: 500ms}
      versions: ["2.0", {version: "1.0", commit: abc}]
    environments:
      staging: {router: 8401}
      production: {router: "0.0.0.0:8402"}
"""


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

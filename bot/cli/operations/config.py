"""`slipway config`: check the catalog, print its schema, show the resolved result."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel

from bot import catalog
from bot.cli.exits import EXIT_CONFIG, EXIT_FAILED, settings, tell
from bot.domain.config import Catalog
from bot.domain.formatting import counted, duration, percent, with_times
from bot.domain.rollout.plans import describe_plan
from bot.domain.secret import Secret
from bot.redaction import Redactor, is_sensitive
from bot.settings import catalog_variables
from bot.values import FOR_PEOPLE

_HIDDEN = "***"
_REPLAYS = 100
_FOLDER = click.argument("folder", required=False, type=click.Path(path_type=Path))


@click.group()
def config() -> None:
    """The catalog: which services are deployed where, how, and by whom."""


@config.command()
@_FOLDER
@click.option("--backtest", is_flag=True, help="Replay the judge on each lane's history as well.")
def check(folder: Path | None, backtest: bool) -> None:
    """Check the catalog in FOLDER (default: SLIPWAY_CONFIG_DIR) and list every mistake with its line.

    With --backtest also the lanes in which this catalog would have rolled back good releases: exit code 1 if there are;
    those with soaks too short for their traffic; and those that cannot be replayed, with the reason.
    """
    from bot.composition.registry import KINDS

    found, mistakes = catalog.check(_folder(folder), KINDS, asking=True)
    if mistakes:
        tell("\n".join([*map(str, mistakes), f"✗ {counted(len(mistakes), 'mistake')}"]), err=True)
        sys.exit(EXIT_CONFIG)
    services = len({lane.service for lane in found.lanes})
    counts = ((len(found.guilds), "guild"), (services, "service"), (len(found.lanes), "lane"))
    tell(f"✓ {', '.join(counted(*c) for c in counts)}")
    for line in rotation_gaps(found, datetime.now(UTC)):
        tell(f"! {line}")
    if backtest:
        from bot.cli.judging.judge import checked

        tried = asyncio.run(checked(found, _REPLAYS))
        for line in (*tried.advice, *tried.left_out):
            tell(f"! {line}")
        for line in tried.alarming:
            tell(f"✗ {line}")
        if tried.replayed and not tried.alarming:
            tell(f"✓ no false alarms in the history of {counted(tried.replayed, 'lane')}")
        sys.exit(EXIT_FAILED if tried.alarming else 0)


@config.command()
def schema() -> None:
    """Print the JSON Schema of a catalog file, for editors."""
    from bot.composition.registry import KINDS

    click.echo(json.dumps(catalog.schema(KINDS), indent=2))


@config.command()
@_FOLDER
@click.option("--settings", "with_settings", is_flag=True, help="Show the settings; secrets are hidden.")
@click.option("--full", is_flag=True, help="Show everything, as YAML.")
def show(folder: Path | None, with_settings: bool, full: bool) -> None:
    """Show the resolved catalog in FOLDER, lane by lane. Secrets are hidden."""
    if with_settings:
        for name, value in settings().describe().items():
            click.echo(f"{name}={value}")
        return
    from bot.composition.registry import KINDS

    found = catalog.load(_folder(folder), KINDS)
    text = yaml.safe_dump(_plain(found), sort_keys=False, allow_unicode=True) if full else _summary(found)
    click.echo(Redactor([*_secrets(), *(secret.reveal() for secret in found.secrets)])(text))


def rotation_gaps(found: Catalog, now: datetime) -> tuple[str, ...]:
    """When no one is on call in the next four weeks, as far as the catalog alone says it: without calendars."""
    from bot.engine.watch.oncall.rota import Rota, advice

    gaps = advice(Rota(now, found.on_call, ()))
    return tuple(with_times(gap, lambda at: f"{at:%Y-%m-%d %H:%M} UTC") for gap in gaps)


def _folder(given: Path | None) -> Path:
    if given is None:
        return settings().config_dir
    catalog_variables()
    return given


def _summary(found: Catalog) -> str:
    lines = [
        f"guild {g.name} ({g.id}): {', '.join(f'#{c}' for c in g.channels.values())}"
        for g in found.guilds.values()
    ]
    for lane in found.lanes.values():
        policy = lane.policy
        lines += ["", f"{lane.lane} on {lane.target}{' (exclusive)' if policy.exclusive else ''}"]
        lines += [f"  {step}" for step in describe_plan(lane.plan, lane.policy.words)]
        for objective in policy.judge.objectives:
            slow = f" slower than {duration(objective.threshold_s)}" if objective.threshold_s else ""
            shown = "" if objective.enforce else " (not enforced)"
            lines.append(f"  {objective.name}: at most {percent(objective.limit)}{slow}{shown}")
        lines += [
            f"  rule: {rule.name}{'' if rule.enforce else ' (not enforced)'}" for rule in policy.judge.rules
        ]
        lines.append(
            f"  deploy: {', '.join(lane.deploy_roles)} · rollback: {', '.join(policy.rollback_roles)}"
        )
        if lane.on_call:
            lines.append(f"  on call: {lane.on_call}")
        if lane.keep_warm_s is not None:
            lines.append(f"  former release: warm for {duration(lane.keep_warm_s)}")
        if lane.prerequisite:
            age = duration(lane.prerequisite.max_age_s)
            lines.append(f"  needs: the same release in {lane.prerequisite.environment} within {age}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (f for f in dataclasses.fields(value) if f.repr)
        return {f.name: _plain(getattr(value, f.name)) for f in fields}
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_none=True, context=FOR_PEOPLE)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {
            key if type(key) in (str, int) else str(key): _HIDDEN if is_sensitive(str(key)) else _plain(v)
            for key, v in value.items()
        }
    if isinstance(value, list | tuple | Set):
        found = [_plain(v) for v in value]
        return sorted(found) if isinstance(value, Set) else found
    return _one(value)


def _one(value: Any) -> Any:
    match value:
        case Secret():
            return _HIDDEN
        case timedelta():
            return duration(value.total_seconds())
        case Enum():
            return value.value
        case _:
            return value


def _secrets() -> list[str]:
    """Values of environment variables that a catalog may contain under a harmless name."""
    return [value for name, value in os.environ.items() if is_sensitive(name)]

"""`slipway smoke` and `slipway checks`: ask the checks of the catalog once, and look them over for CI."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import click

from bot import catalog
from bot.cli.exits import EXIT_CONFIG, EXIT_FAILED, settings, tell
from bot.domain import phrasebook
from bot.domain.config import Catalog, LaneConfig
from bot.domain.formatting import counted, duration
from bot.domain.rollout.model import Lane
from bot.engine.watch.smoke import Smoked, smoke
from bot.kinds import CheckSettings
from bot.settings import catalog_variables


@click.group()
def checks() -> None:
    """Checks of services: smoke tests and monitors."""


@checks.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint(folder: Path | None, as_json: bool) -> None:
    """Look over the checks of the catalog in FOLDER (default: SLIPWAY_CONFIG_DIR) without asking any of them.

    Exit code 3 when the catalog has mistakes. Lanes without a check are named, which is no mistake.
    """
    from bot.composition.registry import KINDS

    if folder is not None:
        catalog_variables()
    found, mistakes = catalog.check(folder or settings().config_dir, KINDS)
    lanes = _with_releases(found)
    if as_json:
        shape = {
            "mistakes": [
                {
                    "file": m.place.file,
                    "line": m.place.line,
                    "key": m.key,
                    "sentence": m.sentence,
                    "hint": m.hint,
                }
                for m in mistakes
            ],
            "lanes": {str(lane.lane): [check.name for check in lane.checks] for lane in lanes},
        }
        click.echo(json.dumps(shape, indent=2, ensure_ascii=False))
    elif mistakes:
        tell("\n".join([*map(str, mistakes), f"✗ {counted(len(mistakes), 'mistake')}"]), err=True)
    else:
        tell("\n".join(_overview(lanes)))
    sys.exit(EXIT_CONFIG if mistakes else 0)


@click.command("smoke")
@click.option("--service", required=True, help="The service to ask.")
@click.option("--environment", required=True, help="Where it runs.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a JUnit report to this file as well.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def smoke_(service: str, environment: str, junit: Path | None, as_json: bool) -> None:
    """Ask every check of SERVICE in ENVIRONMENT once. Exit code 1 when one fails.

    Works without the bot. Checks with a path of their own need the service's target on this machine.
    """
    given = settings()
    from bot.composition.registry import KINDS

    found = catalog.load(given.config_dir, KINDS)
    config = found.of(Lane(service, environment))
    if not config.checks:
        raise phrasebook.no_checks(str(config.lane))
    began, at = time.monotonic(), time.time()
    results = asyncio.run(_smoked(found, given.data_dir, config, at))
    took_s = time.monotonic() - began
    if junit is not None:
        junit.write_bytes(_junit(config.lane, results, at, took_s))
    if as_json:
        click.echo(json.dumps(_as_json(config.lane, results, took_s), indent=2, ensure_ascii=False))
    else:
        tell("\n".join(_lines(config.lane, results, took_s)))
    sys.exit(0 if all(each.result.passed for each in results) else EXIT_FAILED)


async def _smoked(found: Catalog, data_dir: Path, config: LaneConfig, at: float) -> Sequence[Smoked]:
    from bot.composition.adapters import make_targets, open_checks

    targets = make_targets(found, data_dir, start=False)
    async with open_checks(lambda: found, targets) as asked:
        return await smoke(asked, config.lane, config.checks, at)


def _with_releases(found: Catalog) -> list[LaneConfig]:
    """The lanes of services: not those of slash commands."""
    commands = {application.service for application in found.applications.values()}
    return [config for lane, config in found.lanes.items() if lane.service not in commands]


def _overview(lanes: Sequence[LaneConfig]) -> list[str]:
    lines = []
    for config in lanes:
        kinds = Counter(check.settings.kind for check in config.checks)
        monitors = sum(check.monitor is not None for check in config.checks)
        each = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        lines.append(
            f"{config.lane}: {counted(len(config.checks), 'check')} ({each}), {counted(monitors, 'monitor')}"
            if config.checks
            else f"! {config.lane} has no checks"
        )
    total = sum(len(config.checks) for config in lanes)
    return [*lines, f"✓ {counted(total, 'check')} in {counted(len(lanes), 'lane')}"]


def _lines(lane: Lane, results: Sequence[Smoked], took_s: float) -> list[str]:
    width = max(len(each.check.name) for each in results)
    lines = [str(lane)]
    for check, result in ((each.check, each.result) for each in results):
        mark, critical = "✓" if result.passed else "✗", " (critical)" if check.critical else ""
        said = result.said if result.said else f"passed in {duration(result.seconds)}"
        lines.append(f"  {mark} {check.name:<{width}}  {said}{critical if result.said else ''}")
    passed = sum(each.result.passed for each in results)
    return [*lines, f"{passed} of {counted(len(results), 'check')} passed in {duration(took_s)}"]


def _as_json(lane: Lane, results: Sequence[Smoked], took_s: float) -> dict[str, object]:
    return {
        "service": lane.service,
        "environment": lane.environment,
        "passed": all(each.result.passed for each in results),
        "seconds": round(took_s, 3),
        "checks": [
            {
                "name": each.check.name,
                "kind": each.check.settings.kind,
                "asked": _address(each),
                "critical": each.check.critical,
                "passed": each.result.passed,
                "seconds": round(each.result.seconds, 3),
                "said": each.result.said,
            }
            for each in results
        ],
    }


def _junit(lane: Lane, results: Sequence[Smoked], at: float, took_s: float) -> bytes:
    """A report that CI systems read: one suite for the lane, one case for each check."""
    failures = sum(not each.result.passed for each in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"smoke {lane}",
        tests=str(len(results)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{took_s:.3f}",
        timestamp=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    )
    for each in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=str(lane),
            name=each.check.name,
            time=f"{each.result.seconds:.3f}",
        )
        if each.result.said:
            failure = ElementTree.SubElement(case, "failure", message=each.result.said, type=_address(each))
            failure.text = each.result.said
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.indent(whole)
    written: bytes = ElementTree.tostring(whole, encoding="utf-8", xml_declaration=True)
    return written


def _address(each: Smoked) -> str:
    shown = each.check.settings
    return shown.address if isinstance(shown, CheckSettings) else shown.kind

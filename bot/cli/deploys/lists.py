"""Lists of the HTTP API for pipelines: history, releases, and what `slipway status` shows of the bot."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.deploys.rollout_lines import phase_words, status_line, summary, tell_facts
from bot.cli.exits import tell
from bot.domain.formatting import rough_age


@command
@click.argument("service", required=False)
@click.argument("environment", required=False)
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True, help="Rollouts to list.")
@click.option("--before", type=click.IntRange(min=1), help="Only rollouts below this number.")
def history(
    *, service: str | None, environment: str | None, limit: int, before: int | None, as_json: bool
) -> int:
    """List rollouts, newest first."""
    found = api_client().get(
        "/rollouts", service=service, environment=environment, limit=limit, before=before
    )
    if as_json:
        print_json(found)
        return 0
    for each in found["rollouts"]:
        line = f"#{each['id']}  {summary(each)}  {phase_words(each['phase'])}  {each['created_at'][:16]}"
        tell(f"{line}  {each['requester']}")
    if not found["rollouts"]:
        tell("There are no rollouts.", err=True)
    return 0


@command
@click.argument("service")
@click.argument("environment")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Releases to list."
)
def releases(*, service: str, environment: str, limit: int, as_json: bool) -> int:
    """List the releases of SERVICE that can be deployed to ENVIRONMENT, newest first, with their age and subject."""
    found = api_client().get(f"/lanes/{quote(service, safe='')}/{quote(environment, safe='')}/releases")
    shown = found["releases"][:limit]
    if as_json:
        print_json({"releases": shown})
        return 0
    now = datetime.now(UTC)
    for each in shown:
        made_at = datetime.fromisoformat(each["made_at"]) if each["made_at"] else None
        old = f"{rough_age(made_at, now)} old" if made_at else ""
        mark = "irreversible" if each["irreversible"] else ""
        parts = [each["version"], old, each["commit"][:10], mark, each["subject"]]
        tell("  ".join(filter(None, parts)))
    if not shown:
        tell("There are no releases.", err=True)
    return 0


def print_status(service: str | None, as_json: bool) -> None:
    """`slipway status` from the API: what runs where, and active rollouts."""
    api = api_client()
    found = api.get("/lanes", service=service)
    health = api.get("/health")
    by_lane = {(each["service"], each["environment"]): each for each in health["lanes"]}
    if as_json:
        lanes = [
            {**lane, "health": by_lane.get((lane["service"], lane["environment"]))} for lane in found["lanes"]
        ]
        print_json({"lanes": lanes, "alerts": health["alerts"]})
        return
    from bot.cli.deploys.lane_health import alert_lines, health_lines

    for lane in found["lanes"]:
        locked = f"  locked: {lane['lock']['reason']}" if lane["lock"] else ""
        tell(f"{lane['service']}/{lane['environment']}" + locked)
        for running in lane["running"] or ():
            tell(f"  {running['version']:<12} {running['weight']:>3}%  {running['state']}")
        if lane["running"] == []:
            tell("  nothing runs")
        if lane["problem"]:
            tell(f"  ✗ {lane['problem']}")
        if lane["active"]:
            tell(f"  rollout {lane['active']['id']}: {status_line(lane['active'])}")
            tell_facts(lane["active"], "  ", err=False)
        if (known := by_lane.get((lane["service"], lane["environment"]))) is not None:
            for line in (*health_lines(known), *alert_lines(health, lane["service"], lane["environment"])):
                tell(f"  {line}")

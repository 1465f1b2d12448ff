"""Resolution of a lane's checks: those of its service, with those of its environment over them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.resolution.layers import Layers
from bot.catalog.resolution.plans import Placed
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import CheckConfig
from bot.domain.formatting import counted, duration
from bot.domain.rollout.model import Lane
from bot.domain.rollout.steps import NamedCheck, Verify
from bot.domain.watch.checks import Monitor, MonitorRules
from bot.kinds import CheckSettings
from bot.values import is_name

_WITHIN_S = 180.0


PlacedCheck = tuple[KeyPath, CheckConfig]


def checks(document: Document, sections: Sections, said: Layers) -> list[PlacedCheck]:
    """The lane's checks with their places, in the order in which they are written; mistakes go into `document`."""
    lane = said.lane
    found: dict[str, tuple[KeyPath, CheckSettings]] = {}
    service = sections.of("services")[lane.service]
    own = service.environments[lane.environment]
    at: KeyPath = ("services", lane.service)
    for path, layer in (
        (at, service.checks),
        ((*at, "environments", lane.environment), own.checks if own else {}),
    ):
        for name, settings in layer.items():
            if not is_name(name):
                hint = "Letters, digits, dot, dash and underscore, at most 64."
                document.wrong((*path, "checks", name), f'"{name}" cannot be a name.', hint)
            elif settings is not None:
                found[name] = ((*path, "checks", name), settings)
            elif found.pop(name, None) is None:
                document.wrong((*path, "checks", name), f'{lane.service} has no check "{name}" to leave out.')
    return [(path, _check(document, path, said, settings)) for path, settings in found.values()]


def verified(
    document: Document, lane: Lane, steps: Sequence[Placed], known: Sequence[PlacedCheck]
) -> list[PlacedCheck]:
    """Those of `known` that the lane's plan asks of a candidate; mistakes go into `document`."""
    by_name = {check.name: (path, check) for path, check in known}
    found: dict[str, PlacedCheck] = {}
    for at, step in steps:
        for named in step.checks if isinstance(step, Verify) else ():
            if not isinstance(named, NamedCheck):
                continue
            place: KeyPath = (*at, "verify")
            if named.name not in by_name:
                sentence = f'{lane} has no check "{named.name}".'
                document.wrong(place, sentence, nearest(named.name, by_name))
                continue
            settings = by_name[named.name][1].settings
            if isinstance(settings, CheckSettings) and not settings.of_candidate:
                sentence = f'"{named.name}" of {lane} is a check of kind {settings.kind}.'
                document.wrong(place, sentence, "A candidate without traffic cannot be asked it.")
            found[named.name] = by_name[named.name]
    return list(found.values())


def _check(document: Document, path: KeyPath, said: Layers, settings: CheckSettings) -> CheckConfig:
    name = str(path[-1])
    rules = _rules(document, path, settings, said.get("monitors", models.MonitorSettings()).value)
    places = settings.locations or ()
    monitor = Monitor(
        said.lane,
        name,
        every_s=settings.every,
        critical=settings.critical,
        timed=settings.timed,
        rules=rules,
        runbook=settings.runbook or "",
        signals=settings.says | ({"health"} if settings.critical else frozenset()),
        locations=places,
        # One location's own network trouble is no failure, and one that sees nothing of an outage hides none.
        fails_in=settings.fails_in or len(places) // 2 + 1,
    )
    return CheckConfig(
        name, settings, settings.timeout, settings.critical, monitor if settings.monitor else None
    )


def _rules(
    document: Document, path: KeyPath, settings: CheckSettings, rules: models.MonitorSettings
) -> MonitorRules:
    needed_s = (rules.failures - 1) * settings.every
    if rules.within is not None and rules.within < needed_s and settings.monitor:
        failures, within = counted(rules.failures, "failure"), duration(rules.within)
        sentence = f"is {duration(settings.every)}, so {failures} within {within} cannot happen."
        document.wrong((*path, "every"), sentence, "Ask more often, or give monitors: a longer within.")
    return MonitorRules(
        failures=rules.failures,
        within_s=rules.within or max(_WITHIN_S, rules.failures * settings.every),
        availability=rules.availability,
        over_s=rules.over,
        after_s=rules.after,
        p95_s=rules.p95,
        slow_for_s=rules.slow_for,
    )

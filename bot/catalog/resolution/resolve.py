"""Resolution of validated sections into the catalog, with a check of every reference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.resolution.alerts import alert_sources, sinks
from bot.catalog.resolution.appcommands import applications, command_lanes, covered
from bot.catalog.resolution.lanes import LaneResolver, served
from bot.catalog.resolution.layers import layers
from bot.catalog.resolution.oncall import each_week, is_zone, schedules
from bot.catalog.resolution.plans import plans
from bot.catalog.resolution.releases import releases
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import Account, Catalog, GuildConfig, LaneConfig, ServedLane, TargetConfig
from bot.domain.rollout.model import Lane
from bot.domain.secret import Secret
from bot.domain.sharing import Sharing
from bot.redaction import is_sensitive


def resolve(document: Document, sections: Sections) -> Catalog:
    """Build the catalog. Entries with mistakes are left out; check `document.mistakes` before using it."""
    guilds = _guilds(document, sections)
    known = plans(document, sections)
    for steps in known.values():
        covered(document, sections, steps)
    resolver = LaneResolver(document, sections, known)
    lanes: dict[Lane, LaneConfig] = {}
    same = Sharing()
    on_targets: dict[str, dict[Lane, ServedLane]] = {name: {} for name in sections.of("targets")}
    for name, service in sections.of("services").items():
        _environments(document, sections, name, service)
        _cycles(document, sections, name, service)
        for environment in service.environments:
            if environment not in sections.known("environments"):
                continue
            said = layers(sections, name, service, environment)
            lane = resolver.lane(said)
            if lane is not None:
                lanes[lane.lane] = _shared(lane, same)
                on_targets[lane.target][lane.lane] = served(said, lane)
    found = applications(document, sections)
    commands = command_lanes(document, sections, found)
    lanes |= {name: _shared(lane, same) for name, lane in commands.items()}
    return Catalog(
        guilds=guilds,
        lanes=lanes,
        digest=hashlib.sha256(json.dumps(document.root, sort_keys=True, default=str).encode()).hexdigest(),
        targets={
            name: TargetConfig(settings, on_targets[name])
            for name, settings in sections.of("targets").items()
        },
        metrics=sections.of("metrics"),
        releases={n: releases(document, sections, n, s) for n, s in sections.of("services").items()},
        applications=found,
        alert_sources=alert_sources(document, sections),
        sinks=sinks(sections),
        secrets=_secrets(document, sections),
        given={name: value for values in document.references.values() for name, value in values.items()},
        accounts=_accounts(document, sections),
        on_call=schedules(document, sections),
    )


def _shared(lane: LaneConfig, same: Sharing) -> LaneConfig:
    """The lane with what others have too as the same objects: its rules alone take 7 KiB."""
    return replace(lane, plan=same(lane.plan), policy=same(lane.policy), watch=same(lane.watch))


def _secrets(document: Document, sections: Sections) -> tuple[Secret, ...]:
    """Values from the environment that are secret by their key, by their variable's name, or by what they are for."""
    found = {
        value
        for path, values in document.references.items()
        for name, value in values.items()
        if is_sensitive(name) or is_sensitive(str(path[-1]))
    }
    programs = (*sections.of("alert_sources").values(), *sections.of("sinks").values())
    found |= {
        value.reveal()
        for settings in programs
        for value in vars(settings).values()
        if isinstance(value, Secret) and value
    }
    return tuple(map(Secret, sorted(found)))


def _accounts(document: Document, sections: Sections) -> dict[str, Account]:
    known = {role for guild in sections.of("guilds").values() for role in guild.roles}
    found: dict[str, Account] = {}
    for name, account in sections.of("command_line").items():
        found[name] = Account(account.roles, account.person)
        for role in account.roles:
            if role not in known and not sections.is_spoilt(("guilds",)):
                hint = nearest(role, known)
                document.wrong(("command_line", name), f'there is no role "{role}" in any guild.', hint)
    return found


def _guilds(document: Document, sections: Sections) -> dict[int, GuildConfig]:
    found: dict[int, GuildConfig] = {}
    for name, guild in sections.of("guilds").items():
        path: KeyPath = ("guilds", name)
        panic = guild.panic if guild.panic is not None else (guild.on_call,)
        if not sections.is_spoilt((*path, "roles")):
            _mapped(document, guild, (*path, "on_call"), (guild.on_call,))
            _mapped(document, guild, (*path, "panic"), [role for role in panic if role != guild.on_call])
        if guild.id in found:
            document.wrong((*path, "id"), f'is already the id of guild "{found[guild.id].name}".')
            continue
        channels, report = guild.channels.model_dump(exclude_none=True), guild.reports
        weekly = None
        if report is not None and is_zone(document, (*path, "reports"), report.time_zone):
            channels, weekly = channels | {"reports": report.channel}, each_week(report.time_zone, report.at)
        found[guild.id] = GuildConfig(
            guild.id, name, channels, guild.roles, tuple(panic), guild.on_call, weekly, guild.home
        )
    if not sections.known("guilds") and document.root:
        document.wrong((), "there is no guild, so Slipway has no Discord server.", "Add guilds:.")
    return found


def _mapped(document: Document, guild: models.Guild, path: KeyPath, roles: Iterable[str]) -> None:
    for role in roles:
        if role not in guild.roles:
            document.wrong(path, f'there is no role "{role}" in its roles.', nearest(role, guild.roles))


def _environments(document: Document, sections: Sections, name: str, service: models.Service) -> None:
    path: KeyPath = ("services", name, "environments")
    known = sections.known("environments")
    for environment in service.environments:
        if environment not in known:
            hint = nearest(environment, known)
            document.wrong((*path, environment), f'there is no environment "{environment}".', hint)
    if not service.environments and not sections.is_spoilt(path):
        document.wrong(path, "a service needs at least one environment.")


def _cycles(document: Document, sections: Sections, name: str, service: models.Service) -> None:
    """Report prerequisites in a circle, in which nothing could ever be deployed."""
    said = {e: layers(sections, name, service, e).get("prerequisite") for e in service.environments}
    needs = {environment: s.value.environment for environment, s in said.items() if s.given}
    reported: set[str] = set()
    for start in needs:
        walk = [start]
        while (after := needs.get(walk[-1])) is not None and after not in walk:
            walk.append(after)
        if after is None or reported & set(walk):
            continue
        circle = [*walk[walk.index(after) :], after]
        reported |= set(circle)
        sentence = f"prerequisites of {name} form a circle: {' needs '.join(circle)}."
        document.wrong(said[circle[0]].path, sentence)

"""Resolution of applications, each with a lane for staging and one for production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.appcommands.applications import GLOBAL, PRODUCTION, STAGING, Application, Scope
from bot.domain.config import LaneConfig, Prerequisite
from bot.domain.judge import judge
from bot.domain.rollout.model import Lane, Plan, Policy, Step
from bot.domain.rollout.steps import Gate, Shift, SyncCommands
from bot.kinds import ManifestSettings

# The target of their lanes; no target of the catalog may have its name.
TARGET = "discord-commands"
_TIMEOUT_S = 90.0  # a bulk call may be told to wait by Discord's rate limits


def applications(document: Document, sections: Sections) -> dict[str, Application]:
    """Every application, by name; mistakes go into `document`."""
    found: dict[str, Application] = {}
    ids: dict[int, str] = {}
    for name, written in sections.of("applications").items():
        path: KeyPath = ("applications", name)
        if ids.setdefault(written.id, name) != name:
            document.wrong((*path, "id"), f'is already the id of application "{ids[written.id]}".')
        if f"{name}-commands" in sections.known("services"):
            document.wrong(
                path, f'its commands are deployed as "{name}-commands", but there is a service of that name.'
            )
        _released_with(document, sections, (*path, "manifest"), written.manifest)
        found[name] = Application(
            name=name,
            id=written.id,
            token=written.token,
            source=written.manifest,
            staging=_scopes(document, sections, (*path, "staging"), written.staging),
            production=_scopes(document, sections, (*path, "production"), written.production, glob=True),
            emergency_roles=written.emergency,
            check_s=written.check,
            deviation=written.deviation,
            answer_s=written.answer,
        )
    if TARGET in sections.known("targets"):
        document.wrong(
            ("targets", TARGET), "this name is reserved for slash commands.", "Choose another one."
        )
    return found


def command_lanes(
    document: Document, sections: Sections, found: Mapping[str, Application]
) -> dict[Lane, LaneConfig]:
    """Two lanes for each application: staging without a gate, production behind a gate and a success in staging."""
    lanes: dict[Lane, LaneConfig] = {}
    for application in found.values():
        written: models.Application = sections.of("applications")[application.name]
        path: KeyPath = ("applications", application.name)
        guilds = _guilds(document, sections, path, written)
        gate = _gate(document, sections, path, written)
        _roles(document, sections, path, written, guilds)
        policy = _policy(written, gate)
        for environment in (STAGING, PRODUCTION):
            lane = application.lane(environment)
            steps = (Shift(100, _TIMEOUT_S),) if environment == STAGING else (gate, Shift(100, _TIMEOUT_S))
            lanes[lane] = LaneConfig(
                lane=lane,
                guilds=tuple(guild.id for guild in guilds.values()),
                plan=Plan(f"commands-{environment}", steps),
                policy=policy,
                target=TARGET,
                metrics=(),
                deploy_roles=written.owners,
                lock_roles=written.owners,
                prerequisite=Prerequisite(STAGING, written.max_age) if environment == PRODUCTION else None,
                drift="report",
                description=f"Slash commands of {application.name}.",
                emergency_roles=written.emergency,
                asked_by=f"/commands-sync apply app:{application.name} environment:{{environment}}",
            )
    return lanes


def covered(document: Document, sections: Sections, steps: Sequence[tuple[KeyPath, Step]]) -> None:
    """A plan with a gate brings production's commands: before it does, it must ask whom the application asks."""
    gates = [step for _, step in steps if isinstance(step, Gate)]
    if not gates:
        return
    asked: list[Gate] = []
    for path, step in steps:
        if isinstance(step, Gate):
            asked.append(step)
        elif isinstance(step, SyncCommands):
            application = sections.of("applications").get(step.application)
            if application is None:
                continue
            approval = sections.of("approvals").get(application.approval)
            if approval is not None and not any(_asks(gate, approval) for gate in asked):
                sentence = (
                    f"nothing before it asks for what the commands of {step.application} need: "
                    f"{approval.quorum} × {approval.role}."
                )
                document.wrong(path, sentence, f"Add gate: {application.approval} before it.")


def _asks(gate: Gate, approval: models.ApprovalRule) -> bool:
    """Whether the gate asks for at least as much."""
    stricter = approval.allow_requester or not gate.allow_requester
    return gate.role == approval.role and gate.quorum >= approval.quorum and stricter


def _policy(written: models.Application, gate: Gate) -> Policy:
    """Policy of commands: nothing is judged, since Discord either has the commands or not."""
    return Policy(
        judge=judge.JudgePolicy(),
        promote_role=gate.role,
        rollback_roles=tuple(dict.fromkeys((*written.owners, *written.emergency))),
        operate_roles=written.owners,
        rollback_timeout_s=_TIMEOUT_S,
        lock_after_rollback=False,
        exclusive=True,
        words="commands",
        notify_roles=written.notify if written.notify is not None else written.owners,
    )


def _released_with(document: Document, sections: Sections, at: KeyPath, manifest: ManifestSettings) -> None:
    service, known = manifest.released_with, sections.known("services")
    if service is not None and service not in known:
        document.wrong((*at, "service"), f'there is no service "{service}".', nearest(service, known))


def _scopes(
    document: Document, sections: Sections, path: KeyPath, names: Iterable[str], *, glob: bool = False
) -> tuple[Scope, ...]:
    found: list[Scope] = []
    for name in names:
        guild = sections.of("guilds").get(name)
        if glob and name == "global":
            found.append(GLOBAL)
        elif guild is not None:
            found.append(Scope(guild.id))
        elif str(name).isdigit() and 15 <= len(str(name)) <= 20:
            found.append(Scope(int(name)))
        elif name not in sections.known("guilds"):
            known = sections.known("guilds") | ({"global"} if glob else set())
            document.wrong(path, f'there is no guild "{name}".', nearest(name, known))
    if not found and not sections.is_spoilt(path) and not list(names):
        document.wrong(path, "needs at least one guild.")
    if GLOBAL in found and len(found) > 1:
        document.wrong(path, "must be global or guilds, not both: commands would appear twice.")
    return tuple(dict.fromkeys(found))


def _gate(document: Document, sections: Sections, path: KeyPath, written: models.Application) -> Gate:
    known = sections.known("approvals")
    approval = sections.of("approvals").get(written.approval)
    if approval is None:
        if written.approval not in known:
            hint = nearest(written.approval, known)
            document.wrong((*path, "approval"), f'there is no approval "{written.approval}".', hint)
        return Gate(written.approval, "?")
    return Gate(
        name=written.approval,
        role=approval.role,
        quorum=approval.quorum,
        expires_s=approval.expires,
        allow_requester=approval.allow_requester,
    )


def _guilds(
    document: Document, sections: Sections, path: KeyPath, written: models.Application
) -> dict[str, models.Guild]:
    guilds = sections.of("guilds")
    if written.guilds is None:
        return dict(guilds)
    for name in written.guilds:
        if name not in sections.known("guilds"):
            hint = nearest(name, sections.known("guilds"))
            document.wrong((*path, "guilds"), f'there is no guild "{name}".', hint)
    return {name: guilds[name] for name in written.guilds if name in guilds}


def _roles(
    document: Document,
    sections: Sections,
    path: KeyPath,
    written: models.Application,
    guilds: Mapping[str, models.Guild],
) -> None:
    """Every role must be a Discord role in every guild that sees the application."""
    approval = sections.of("approvals").get(written.approval)
    named = {"owners": written.owners, "emergency": written.emergency, "notify": written.notify or ()}
    if approval is not None:
        named["approval"] = (approval.role,)
    for key, roles in named.items():
        for role in roles:
            for name, guild in guilds.items():
                if role not in guild.roles and not sections.is_spoilt(("guilds", name)):
                    hint = nearest(role, guild.roles)
                    document.wrong((*path, key), f'there is no role "{role}" in guild "{name}".', hint)

"""The `DeployTarget` of commands."""

from __future__ import annotations

from collections.abc import Mapping

from bot.adapters.base_environment import base_environment
from bot.adapters.commands.jobs import Command, Job
from bot.adapters.commands.parameters import filled, variables
from bot.adapters.commands.ssh import over_ssh
from bot.adapters.targets.command.settings import (
    CommandSpec,
    CommandSpecSettings,
    CommandTargetSettings,
    parse_spec,
)
from bot.adapters.targets.context import TargetContext, target_kind
from bot.adapters.targets.jobs.lane import JobOrder, LaneState, Named
from bot.adapters.targets.jobs.settings import LaneAddressPart
from bot.adapters.targets.jobs.target import JobTarget
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Lane, Release
from bot.ports.data_plane.targets import ORDERED_BY


class CommandTarget(JobTarget[CommandTargetSettings]):
    """Runs a command for each order that changes something, on this machine or over SSH."""

    def check(self, release: Release) -> None:
        parse_spec(release)

    def private(self, release: Release) -> set[str]:
        return parse_spec(release).private

    def order_command(self, lane: Lane, state: LaneState, job: Job) -> Command:
        argv = self.settings.apply
        if state.action == "rollback":
            argv = self.settings.rollback or argv
        return self._command(lane, argv, state.action, state.order, self.settings.timeout)

    def question(self, lane: Lane, order: JobOrder) -> Command | None:
        argv = self.settings.observe
        return self._command(lane, argv, "observe", order, self.settings.observe_timeout) if argv else None

    def name(self, action: str) -> str:
        return f"the {action} command"

    @property
    def where(self) -> str:
        return self.settings.ssh.host if self.settings.ssh else "this machine"

    def _command(
        self, lane: Lane, argv: tuple[str, ...], action: str, order: JobOrder, timeout_s: float
    ) -> Command:
        settings = self.settings
        facts = _facts(lane, action, order)
        if not settings.weights:
            del facts["weight"]
        given = CommandSpec.model_validate(dict(self.spec(lane))).env
        env = {**{name: filled(value, facts) for name, value in given.items()}, **variables(facts)}
        command = Command(
            tuple(filled(word, facts) for word in argv),
            {**base_environment(), **({} if settings.ssh else env)},
            str(settings.cwd) if settings.cwd else None,
            timeout_s,
            settings.grace,
        )
        return over_ssh(settings.ssh, command, env) if settings.ssh else command


def make_command_target(
    settings: CommandTargetSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
) -> CommandTarget:
    return CommandTarget(settings, lanes, context)


def _facts(lane: Lane, action: str, order: JobOrder) -> dict[str, str]:
    """What a command is told, by the name of its variable without `SLIPWAY_`, in small letters."""
    nothing = Named("", "")
    brings, stable, candidate = (one or nothing for one in (order.brings, order.stable, order.candidate))
    return {
        "service": lane.service,
        "environment": lane.environment,
        "action": action,
        "version": brings.version,
        "digest": brings.digest,
        "commit": brings.commit,
        "generation": str(order.generation),
        "rollout": str(ORDERED_BY.get() or ""),
        "stable": stable.version,
        "stable_digest": stable.digest,
        "candidate": candidate.version,
        "candidate_digest": candidate.digest,
        "weight": str(order.weight),
    }


KIND = target_kind(
    CommandTargetSettings, make_command_target, spec=CommandSpecSettings, router=LaneAddressPart
)

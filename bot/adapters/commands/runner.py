"""Commands of run steps, each under a supervisor, in a folder of its rollout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from bot.adapters.base_environment import base_environment
from bot.adapters.commands.jobs import Command, Job, JobState, tidy
from bot.adapters.commands.output import Output, framed
from bot.adapters.commands.parameters import filled, variables
from bot.adapters.commands.ssh import over_ssh
from bot.domain.rollout.steps import RunCommand
from bot.kinds import SshSettings
from bot.ports.data_plane.runs import RunFacts, RunKey
from bot.ports.data_plane.targets import Printed
from bot.redaction import Redactor

_KEPT = 50  # rollouts


class CommandRunner:
    """Implements `bot.ports.data_plane.runs.Runner`.

    folder: where the commands of all rollouts are. environ: values of the variables that commands name. secrets: what
    else is redacted from their output.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], secrets: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._secrets = secrets
        self._told: dict[RunKey, tuple[str, frozenset[str]]] = {}

    async def start(self, key: RunKey, command: RunCommand, facts: RunFacts, timeout_s: float) -> str | None:
        missing = [name for name in command.env if name not in self._environ]
        if missing:
            return f"the environment variable {missing[0]} is not set"
        given = {name: self._environ[name] for name in command.env}
        self._told[key] = (facts.name, frozenset(given.values()))
        job = self._job(key)
        if await asyncio.to_thread(lambda: job.state) is JobState.ABSENT:
            await job.start(_command(command, facts, given, timeout_s))
            await asyncio.to_thread(self._tidy, key)
        return None

    async def finding(self, key: RunKey, timeout_s: float) -> str | None:
        return await asyncio.to_thread(self._finding, key, timeout_s)

    async def printed(self, key: RunKey) -> Printed | None:
        found = await asyncio.to_thread(self._output(key).next)
        if found is None:
            return None
        name, _ = self._told.get(key, ("its command", frozenset()))
        return Printed(str(found.number), framed(name, found.text))

    async def passed_on(self, key: RunKey) -> None:
        await asyncio.to_thread(self._output(key).passed_on)

    async def stop(self, rollout_id: int) -> None:
        folder = self._folder / str(rollout_id)
        for path in await asyncio.to_thread(lambda: list(folder.glob("*/"))):
            await asyncio.to_thread(Job(path).stop)
        for key in [key for key in self._told if key.rollout_id == rollout_id]:
            del self._told[key]

    def _finding(self, key: RunKey, timeout_s: float) -> str | None:
        job = self._job(key)
        state = job.state
        if state in (JobState.RUNNING, JobState.ABSENT):
            return None
        if state is JobState.LOST:
            job.sweep()
            return "it was interrupted, and whether it had finished is not known"
        end = job.end
        if end is None or end.passed:
            return ""
        said = job.last_words(self._redactor(key))
        return f"it {end.phrase(timeout_s)}" + (f"; last words: {said}" if said else "")

    def _output(self, key: RunKey) -> Output:
        return Output(self._job(key), self._redactor(key))

    def _redactor(self, key: RunKey) -> Redactor:
        _, values = self._told.get(key, ("", frozenset()))
        return Redactor({*values, *self._secrets()}, scanning=True)

    def _job(self, key: RunKey) -> Job:
        return Job(self._folder / str(key.rollout_id) / quote(key.run, safe=""))

    def _tidy(self, key: RunKey) -> None:
        tidy(self._folder, str(key.rollout_id), kept=_KEPT)


def _command(run: RunCommand, facts: RunFacts, given: Mapping[str, str], timeout_s: float) -> Command:
    told = _facts(facts)
    env = {**given, **variables(told)}
    command = Command(
        tuple(filled(word, told) for word in run.argv),
        {**base_environment(), **({} if run.ssh else env)},
        run.cwd,
        timeout_s,
        run.grace_s,
    )
    if run.ssh is None:
        return command
    return over_ssh(SshSettings.model_validate(asdict(run.ssh)), command, env)


def _facts(facts: RunFacts) -> dict[str, str]:
    stable = facts.stable
    return {
        "action": "run",
        "step": facts.name,
        "service": facts.lane.service,
        "environment": facts.lane.environment,
        "rollout": str(facts.rollout_id),
        "version": facts.candidate.version,
        "digest": facts.candidate.digest,
        "commit": facts.candidate.commit,
        "candidate": facts.candidate.version,
        "candidate_digest": facts.candidate.digest,
        "stable": stable.version if stable else "",
        "stable_digest": stable.digest if stable else "",
        "weight": str(facts.weight),
        "address": facts.address or "",
    }

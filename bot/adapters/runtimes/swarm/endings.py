"""How a task ended, as a phrase, with its last words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.runtimes.docker.containers import exit_of, last_words, unframed
from bot.adapters.runtimes.docker.engine import EngineApi, EngineError
from bot.adapters.runtimes.docker.images import Logins, why_missing
from bot.adapters.runtimes.swarm.spec import SwarmSpec
from bot.adapters.runtimes.swarm.tasks import Task

_LOG_LINES = 50
# A request for logs may hang, and then works when it is made again.
_LOG_S, _LOG_TRIES = 10.0, 2


@dataclass(frozen=True, slots=True)
class Ending:
    """again: it failed by something that may pass, such as a registry that is away."""

    how: str
    again: bool = False


class Endings:
    """Asks the swarm how tasks ended, wherever they ran. Raises `Unreachable`."""

    def __init__(self, engine: EngineApi, logins: Logins) -> None:
        self._engine = engine
        self._logins = logins

    async def tell(self, task: Task, spec: SwarmSpec, redact: Callable[[str], str]) -> Ending:
        at = f" on {task.node}" if task.node else ""
        if "no such image" in task.error.lower():
            problem = await why_missing(self._engine, self._logins, spec.image)
            if problem is not None:
                return Ending(str(problem), problem.again)
        if task.state == "rejected" or not _exited(task):
            return Ending(f"could not be started{at}: {task.error}")
        how = await self._exit(task, spec) + at
        words = last_words(await self._output(task), redact)
        return Ending(how + (f"; last words: {words}" if words else ""))

    async def _exit(self, task: Task, spec: SwarmSpec) -> str:
        memory = spec.limits.memory_bytes
        out_of_memory = bool(memory) and await self._out_of_memory(task)
        how = exit_of(task.exit_code, memory, out_of_memory)
        stopped = (0, 143) if memory else (0, 137, 143)
        if spec.health is not None and not out_of_memory and task.exit_code in stopped:
            return how + ", as the swarm stops a container when its health check fails"
        return how

    async def _out_of_memory(self, task: Task) -> bool:
        """Known for containers of the manager's own machine."""
        try:
            told = await self._engine.get(f"/containers/{task.container}/json")
        except EngineError:
            return False
        return bool(told["State"].get("OOMKilled"))

    async def _output(self, task: Task) -> str:
        """What it printed last; empty where the swarm does not tell that in time.

        Logs come from the task's node, and a request for them may hang while the manager is well (docker/cli issue
        4678): that is no outage of the engine.
        """
        params = {"stdout": "1", "stderr": "1", "tail": str(_LOG_LINES)}
        for _ in range(_LOG_TRIES):
            try:
                async with (
                    asyncio.timeout(_LOG_S),
                    self._engine.request("GET", f"/tasks/{task.id}/logs", params=params) as answer,
                ):
                    return unframed(await answer.read())
            except TimeoutError:
                continue
            except EngineError:
                break  # a log driver that cannot be read from, or a node that is away
        return ""


def _exited(task: Task) -> bool:
    """Whether there was a process that exited."""
    return task.state == "complete" or task.error.startswith("task: non-zero exit")

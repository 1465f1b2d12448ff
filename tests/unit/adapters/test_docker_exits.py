"""How the end of a container's process is told."""

from __future__ import annotations

import pytest

from bot.adapters.runtimes.docker.containers import exit_of

MB = 1024**2


@pytest.mark.parametrize(
    ("code", "memory", "out_of_memory", "told"),
    [
        (1, 0, False, "exited with code 1"),
        (1, 16 * MB, False, "exited with code 1"),
        (137, 0, False, "exited with code 137"),
        (137, 16 * MB, True, "was killed because it needed more memory than its limit of 16 MB"),
        (137, 0, True, "was killed because it needed more memory than there is"),
        (
            137,
            16 * MB,
            False,
            "exited with code 137, perhaps because it needed more memory than its limit of 16 MB",
        ),
    ],
)
def test_a_kill_for_memory_is_told_also_when_the_engine_lost_the_reason(
    code: int, memory: int, out_of_memory: bool, told: str
) -> None:
    assert exit_of(code, memory, out_of_memory) == told

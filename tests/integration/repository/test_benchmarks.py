"""Benchmarks still run: every module is there, the cheapest finish, and the scene of presses has two bots that answer.

Nothing here looks at a figure: other tests share the machine.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from itertools import islice

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.discord import presses
from benchmarks.engine.scene import scene
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_where_it_is_said_to_be(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name][0]}.{name}")
    assert not inspect.signature(module.run).parameters.keys() - {"quick"}


def test_the_cheapest_finish_and_print_a_table() -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "judging", "container"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for said in ("Cost of judging", "container image", "goals reached"):
        assert said in ran.stdout


async def test_both_bots_of_the_scene_answer_presses_on_the_same_card() -> None:
    async with scene(["service-0"]) as here:
        waiting = await here.ask_for(["service-0"])
        card = await here.card()
        bare = presses.bare_presses(waiting[0], await here.bare_card(card))
        theirs = await presses.one_by_one(here, islice(bare, 2), 2)
        ours = await presses.one_by_one(here, presses.turning_presses(waiting, card), 2)
        assert {one["state"] for one in (*theirs, *ours)} == {"answered"}
        assert presses.recorded(ours) == 2
        assert presses.recorded(theirs) == 0
        assert here.postgres()

"""The pytest plugin, with the example that documents it: run by a pytest of its own."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from support.paths import PROJECT


async def run_pytest(folder: Path, *options: str) -> tuple[int | None, str]:
    """Exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-p", "discord_sandbox.pytest_plugin", "-p", "no:cacheprovider"),
        *("-p", "no:schemathesis", "-q", *options),
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV"))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    return process.returncode, said.decode()


async def test_the_example_passes(tmp_path: Path) -> None:
    folder = shutil.copytree(PROJECT / "examples" / "pytest", tmp_path / "example")
    code, said = await run_pytest(folder)
    assert code == 0, said
    assert "6 passed" in said


OWN_WORLD = """
import pytest
from discord_sandbox import ApplicationSpec, GuildSpec, World

@pytest.fixture
def sandbox_world():
    return World((GuildSpec("club"),), (ApplicationSpec("jukebox"),))

async def test_of_its_own_world(sandbox, recorder):
    assert sandbox.token("jukebox")
    assert [one["name"] for one in (await sandbox.call("GET", "state"))["guilds"]] == ["club"]
    recorder.assert_no_errors()
"""


SAVED_WORLD = """
import asyncio
import pytest
from discord_sandbox import Sandbox, SavedWorld

async def made(file):
    async with Sandbox() as sandbox:
        await sandbox.person("ada").write("general", "one")
        (await sandbox.save()).write(file)

@pytest.fixture(scope="module")
def sandbox_world(tmp_path_factory):
    file = tmp_path_factory.mktemp("worlds") / "busy.json"
    asyncio.run(made(file))
    return SavedWorld.read(file)

async def test_of_a_saved_world(sandbox):
    saved = await sandbox.save()
    ada = sandbox.person("ada")
    await ada.write("general", "two")
    assert [one.text for one in await ada.messages("general")] == ["one", "two"]
    await sandbox.restore(saved)
    assert [one.text for one in await ada.messages("general")] == ["one"]
"""


async def test_a_world_of_ones_own_and_the_word_about_pytest_asyncio(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    (tmp_path / "test_club.py").write_text(OWN_WORLD)
    (tmp_path / "test_saved.py").write_text(SAVED_WORLD)
    code, said = await run_pytest(tmp_path)
    assert code == 0, said
    (tmp_path / "test_saved.py").unlink()
    (tmp_path / "test_club.py").write_text("def test_it(sandbox):\n    pass\n")
    (tmp_path / "pytest_asyncio.py").write_text("raise ImportError\n")
    code, said = await run_pytest(tmp_path, "-p", "no:asyncio", "-c", os.devnull, "--rootdir", ".")
    assert (code, "needs pytest-asyncio: pip install 'discord-sandbox[pytest]'" in said) == (1, True), said

"""The wheel: installed into an empty environment with what it declares, it runs a bot."""

import asyncio
import importlib.metadata
import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import aiohttp
import pytest
from packaging.requirements import Requirement

from discord_sandbox.server import PAGE
from support.paths import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    subprocess.run([sys.executable, *command], cwd=PROJECT, check=True, capture_output=True)
    return next(folder.glob("discord_sandbox-*.whl"))


def test_it_installs_one_package_with_the_whole_page_and_both_licenses(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = next(name.split("/")[0] for name in names if ".dist-info/" in name)
    assert {name.split("/")[0] for name in names} == {"discord_sandbox", info}
    page = (file for file in PAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    assert {f"discord_sandbox/page/{file.relative_to(PAGE)}" for file in page} <= names
    licenses = {name for name in names if name.startswith(f"{info}/licenses/")}
    assert len(licenses) == 2


BOT = """
import sys
import discord, yarl

class Bot(discord.Client):
    async def on_ready(self):
        print(self.user.name, flush=True)
        await self.close()

discord.http.Route.BASE = sys.argv[1]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[2])
Bot(intents=discord.Intents.default(), guild_ready_timeout=0.1).run(sys.argv[3], log_handler=None)
"""


@pytest.mark.real
async def test_in_an_empty_environment_it_runs_a_bot_and_the_example_of_the_pytest_plugin(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "-q"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    site = next((environment / "lib").glob("python*")) / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        declared = importlib.metadata.PathDistribution(zipfile.Path(archive, metadata).parent).requires
    assert declared is not None
    install_from_here(declared, site)
    command = environment / "bin" / "discord-sandbox"
    process = await asyncio.create_subprocess_exec(
        command, "--port", "0", cwd=tmp_path, env={}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        async with aiohttp.ClientSession() as http, http.get(ready["url"]) as got:
            assert "<title>Sandbox</title>" in await got.text()
        install_from_here(["discord.py", "pytest", "pytest-asyncio"], site)
        addresses = (ready["api_base"], ready["gateway_url"], ready["applications"][0]["token"])
        assert await said(python, "-c", BOT, *addresses, cwd=tmp_path) == (0, "robot\n")
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    example = shutil.copytree(PROJECT / "examples" / "pytest", tmp_path / "example")
    code, text = await said(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=example)
    assert (code, "6 passed" in text) == (0, True), text


async def said(*command: str | Path, cwd: Path) -> tuple[int | None, str]:
    """Exit code and standard output of a program that sees nothing of this environment."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, env={}, stdout=asyncio.subprocess.PIPE)
    text, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, text.decode()


def install_from_here(requirements: list[str], site: Path) -> None:
    """Copy the required distributions, and what they require in turn, from this environment."""
    waiting, copied = list(requirements), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.name in copied or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        copied.add(requirement.name)
        found = importlib.metadata.distribution(requirement.name)
        for file in found.files or ():
            # What is there may be in use by the sandbox.
            fits = ".." not in file.parts and "__pycache__" not in file.parts
            if fits and not (site / file).exists():
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found.locate_file(file), site / file)
        waiting += found.requires or []

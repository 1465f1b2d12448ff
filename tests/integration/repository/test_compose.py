"""compose.yml and the documented `.env` give a stack that starts: what the bot is told, and that it takes it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import variable_names
from tests.support.paths import ROOT
from tests.support.repository import MissingValue, compose, image_environment, slipway

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
PASSWORD = "0123456789abcdef"
TOKEN = "MTIzNDU2.a-token.of-a-test"


def filled_in() -> str:
    """`.env.example` as its first lines say: what is empty is filled in, nothing else is touched."""
    return EXAMPLE.replace("POSTGRES_PASSWORD=", f"POSTGRES_PASSWORD={PASSWORD}").replace(
        "SLIPWAY_DISCORD_TOKEN=", f"SLIPWAY_DISCORD_TOKEN={TOKEN}"
    )


def container(env_file: str) -> dict[str, str]:
    """The environment of the bot's container: the image's, then what compose adds."""
    return {**image_environment(), **compose(env_file)["services"]["bot"]["environment"]}


def test_the_documented_env_gives_the_bot_settings_that_fit_the_container(tmp_path: Path) -> None:
    said = slipway("config", "show", "--settings", environment=container(filled_in()), folder=tmp_path)
    assert (said.code, said.err) == (0, "")
    settings = dict(line.split("=", 1) for line in said.out.splitlines())
    assert settings["SLIPWAY_CONFIG_DIR"] == "/config"
    assert settings["SLIPWAY_DATA_DIR"] == "/data"
    assert (settings["SLIPWAY_WEB_HOST"], settings["SLIPWAY_WEB_PORT"]) == ("0.0.0.0", "8080")
    for secret in ("SLIPWAY_DISCORD_TOKEN", "SLIPWAY_DATABASE_URL", "SLIPWAY_REDIS_URL"):
        assert settings[secret] == "(set)"


def test_folders_in_an_env_of_make_run_do_not_reach_into_the_container() -> None:
    own = (
        filled_in()
        + "\nSLIPWAY_CONFIG_DIR=config/catalog\nSLIPWAY_DATA_DIR=.slipway\nSLIPWAY_WEB_PORT=9090\n"
    )
    environment = container(own)
    assert environment["SLIPWAY_CONFIG_DIR"] == "/config"
    assert environment["SLIPWAY_DATA_DIR"] == "/data"
    assert environment["SLIPWAY_WEB_PORT"] == "8080"


def test_an_env_that_is_not_filled_in_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MissingValue, match="POSTGRES_PASSWORD is empty in \\.env"):
        compose(EXAMPLE)
    without_token = EXAMPLE.replace("POSTGRES_PASSWORD=", f"POSTGRES_PASSWORD={PASSWORD}")
    said = slipway("run", environment=container(without_token), folder=tmp_path)
    assert said.code == 3
    assert "SLIPWAY_DISCORD_TOKEN is not set" in said.err
    assert len(said.err.splitlines()) == 1


def test_the_example_names_every_setting_and_nothing_else() -> None:
    named = set(re.findall(r"^#?(SLIPWAY_\w+)=", EXAMPLE, re.M))
    assert named == set(variable_names())


def test_bot_and_host_share_the_folders_that_the_image_names() -> None:
    services = compose(filled_in())["services"]
    image = image_environment()
    for service in (services["bot"], services["host"]):
        targets = {_target(volume) for volume in service["volumes"]}
        assert targets >= {image["SLIPWAY_CONFIG_DIR"], image["SLIPWAY_DATA_DIR"]}
    assert "--data-dir /data" in " ".join(services["host"]["command"])


def test_the_host_gets_no_secret() -> None:
    assert compose(filled_in())["services"]["host"]["environment"] == {}


def test_only_the_catalog_is_mounted_and_not_the_examples_beside_it() -> None:
    volumes = compose(filled_in())["services"]["bot"]["volumes"]
    (catalog,) = [volume for volume in volumes if isinstance(volume, dict)]
    assert catalog["source"] == "./config/catalog"
    assert catalog["read_only"]


def test_envoy_has_the_volumes_of_the_host_and_reads_the_configuration_of_the_example() -> None:
    services = compose(filled_in())["services"]
    mounted = [volume.split(":") for volume in services["envoy"]["volumes"]]
    shared = {name: path for name, path, *_ in mounted if not name.startswith("./")}
    for service in ("host", "bot"):
        volumes = [volume.split(":") for volume in services[service]["volumes"] if isinstance(volume, str)]
        assert shared.items() <= {name: path for name, path, *_ in volumes}.items()
    assert ["./config/examples/compose/envoy.json", "/etc/envoy/envoy.json", "ro"] in mounted
    assert services["envoy"]["user"] == "10001:10001"
    assert services["envoy"]["network_mode"] == services["bot"]["network_mode"] == "service:host"


def test_compose_itself_reads_the_file_as_we_do(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(filled_in(), encoding="utf-8")
    (tmp_path / "config" / "catalog").mkdir(parents=True)
    read = _read_by_compose(tmp_path)["services"]["bot"]["environment"]
    assert {name: str(value) for name, value in read.items()} == {
        name: str(value) for name, value in compose(filled_in())["services"]["bot"]["environment"].items()
    }


def _read_by_compose(folder: Path) -> dict[str, Any]:
    """What `docker compose config` makes of the file, or Debian's `docker-compose`, which lacks two newer keys."""
    text = (ROOT / "compose.yml").read_text(encoding="utf-8")
    outside = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    program = ["docker", "compose"]
    if (
        not shutil.which("docker")
        or subprocess.run([*program, "version"], capture_output=True, check=False).returncode
    ):
        if not shutil.which("docker-compose"):
            if os.environ.get("CI"):
                pytest.fail("neither `docker compose` nor docker-compose is installed")
            pytest.skip("neither `docker compose` nor docker-compose is installed")
        program = ["docker-compose"]
        text = re.sub(r"^name: .*\n", "", text, flags=re.M)
        text = re.sub(r"^ *bind: \{create_host_path: false\}.*\n", "", text, flags=re.M)
    (folder / "compose.yml").write_text(text, encoding="utf-8")
    said = subprocess.run(
        [*program, "-f", "compose.yml", "config"],
        cwd=folder,
        env=outside,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = yaml.safe_load(said.stdout)
    return found


def _target(volume: str | dict[str, Any]) -> str:
    return str(volume["target"]) if isinstance(volume, dict) else volume.split(":")[1]

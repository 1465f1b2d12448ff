"""`slipway commands` in small: who asks, what errors look like, and manifests that need no database."""

from __future__ import annotations

import json
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from bot.__main__ import cli
from bot.cli.appcommands import output, service
from bot.cli.appcommands.service import account, as_account
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.config import Catalog
from bot.domain.errors import Refused, UserError
from bot.engine.appcommands.api import InvalidManifest

CATALOG = Catalog({}, {}, "digest", accounts={"runner": ("deployer",)})


def run_by(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    def of(uid: int) -> Any:
        if name is None:
            raise KeyError(uid)
        return SimpleNamespace(pw_name=name)

    monkeypatch.setattr(pwd, "getpwuid", of)
    monkeypatch.setattr(service.os, "getuid", lambda: 1001)


def test_the_account_is_the_systems_and_no_variable_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "guest")
    for variable in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(variable, "runner")
    actor = account(CATALOG)
    assert actor.name.startswith("guest@")
    assert actor.roles == frozenset()
    assert actor.via == "cli"


def test_an_account_has_its_roles_and_an_id_that_no_one_in_discord_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_by(monkeypatch, "runner")
    actor = account(CATALOG)
    assert actor.roles == {"deployer"}
    assert -(2**33) < actor.id < 0
    run_by(monkeypatch, None)
    assert account(CATALOG).name.startswith("uid-1001@")


def test_a_refusal_names_the_account_of_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "runner")
    named = r"The account `runner` has `deployer` here.*`command_line`"
    with pytest.raises(Refused, match=named), as_account(account(CATALOG)):
        raise Refused("That is for `lead`.", rule="role", remedy="Ask someone.")
    with pytest.raises(Refused, match="Ask someone"), as_account(account(CATALOG)):
        raise Refused("It is locked.", rule="locked", remedy="Ask someone.")


def test_errors_have_one_shape() -> None:
    wrong = UserError("There is no X.", rule="unknown_x", remedy="Did you mean Y?")
    assert output.error(wrong, str(wrong)) == {
        "error": {"rule": "unknown_x", "sentence": "There is no X.", "remedy": "Did you mean Y?"}
    }
    bad = InvalidManifest("greeter", [ManifestProblem("$[0].name", "is missing")])
    assert output.error(bad, str(bad))["error"]["mistakes"] == [
        {"path": "$[0].name", "sentence": "is missing"}
    ]
    assert output.error(OSError("no"), "No")["error"] == {"rule": "", "sentence": "No", "remedy": ""}


def test_a_file_is_validated_without_settings_catalog_or_database(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps([{"name": "hello", "description": "Says hello"}]))
    runner = CliRunner()
    done = runner.invoke(cli, ["commands", "validate", "greeter", "--file", str(file)])
    assert (done.exit_code, "1 command" in done.output) == (0, True)
    file.write_text(json.dumps([{"name": "Hello"}]))
    done = runner.invoke(cli, ["commands", "validate", "greeter", "--file", str(file), "--json"])
    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    assert (shown["ok"], shown["version"]) == (False, None)
    assert [m["path"] for m in shown["mistakes"]] == ["$[0].name", "$[0].description"]
    file.write_bytes(b"\xff\xfe")
    done = runner.invoke(cli, ["commands", "validate", "greeter", "--file", str(file), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["error"]["rule"]) == (1, "manifest_source")


def test_help_says_the_exit_codes() -> None:
    said = CliRunner().invoke(cli, ["commands", "--help"]).output
    assert "10  with --exit-code" in said
    assert "11  with --wait" in said

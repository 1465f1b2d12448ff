"""`slipway commands` in small: who asks, what errors look like, and manifests that need no database."""

from __future__ import annotations

import json
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot.__main__ import cli
from bot.cli.appcommands import output, service
from bot.cli.appcommands.service import account, as_account, hash_of, who
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.config import Account, Catalog
from bot.domain.errors import Refused, UserError
from bot.engine.appcommands.api import InvalidManifest
from bot.settings import Settings

CATALOG = Catalog(
    {},
    {},
    "digest",
    accounts={
        "runner": Account(("deployer",)),
        "alice": Account(("deployer",), person=11, token=hash_of("alice's own")),
        "bob": Account(("deployer",), person=12, token=hash_of("bob's own")),
    },
)


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


def given(token: str = "", *, shared: bool = False) -> Settings:
    return Settings(personal_token=SecretStr(token) if token else None, shared_account=shared)


def test_an_account_belongs_to_the_person_that_the_catalog_names(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "alice")
    actor = who(CATALOG, given(), None, changes=True)
    assert (actor.person, actor.mention, actor.ids) == (11, 11, {11, actor.id})
    run_by(monkeypatch, "runner")
    actor = who(CATALOG, given(), None, changes=True)
    assert (actor.person, actor.ids) == (None, {actor.id})


def test_where_everyone_is_the_same_account_a_change_needs_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "runner")
    with pytest.raises(Refused, match=r"Everyone here is runner@.*cannot tell who asks.*--as NAME"):
        who(CATALOG, given(shared=True), None, changes=True)
    assert who(CATALOG, given(shared=True), None, changes=False).roles == {"deployer"}


@pytest.mark.parametrize("shared", [True, False])
def test_a_personal_token_says_who_asks(monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    run_by(monkeypatch, "runner")
    actor = who(CATALOG, given("alice's own", shared=shared), "alice", changes=True)
    assert actor.name.startswith("alice@")
    assert (actor.person, actor.roles, actor.via) == (11, {"deployer"}, "cli")


@pytest.mark.parametrize(
    ("named", "token", "said"),
    [
        ("alice", "", "takes a personal token.*SLIPWAY_PERSONAL_TOKEN"),
        ("alice", "bob's own", "is not that of alice"),
        ("alice", hash_of("alice's own"), "is not that of alice"),
        ("runner", "alice's own", "is not that of runner"),
        ("mallory", "alice's own", "is not that of mallory"),
    ],
)
def test_no_one_acts_as_another_account(
    monkeypatch: pytest.MonkeyPatch, named: str, token: str, said: str
) -> None:
    run_by(monkeypatch, "bob")
    for changes in (True, False):
        with pytest.raises(Refused, match=said) as refused:
            who(CATALOG, given(token), named, changes=changes)
        assert not token or token not in str(refused.value)


def test_a_new_token_fits_its_hash() -> None:
    done = CliRunner().invoke(cli, ["commands", "token"])
    mine, hashed = (line.rpartition(": ")[2] for line in done.output.splitlines())
    assert len(mine) >= 43
    assert hash_of(mine) == f"sha256:{hashed.removeprefix('sha256:')}"


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

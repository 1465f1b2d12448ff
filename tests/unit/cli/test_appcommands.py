"""`slipway commands` in small: who asks, what errors look like, and manifests that need no database."""

from __future__ import annotations

import json
import pwd
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from bot.__main__ import cli
from bot.cli.appcommands import output, service
from bot.cli.appcommands.service import account, as_account
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.config import Account, Catalog, GuildConfig
from bot.domain.errors import Refused, UserError
from bot.domain.tokens import ApiToken, TokenScope
from bot.engine.appcommands.api import InvalidManifest
from bot.settings import Settings
from tests.support.actors import BOSS
from tests.support.api import Roles

CATALOG = Catalog(
    {}, {}, "digest", accounts={"runner": Account(("deployer",)), "alice": Account(("deployer",), person=11)}
)
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECRET = "slipway_" + "s" * 43
GUILD = GuildConfig(1, "shop", {}, {})
TOKEN = ApiToken(
    id=7,
    name="alice-laptop",
    guild_id=1,
    owner_id=11,
    owner="Alice",
    roles=frozenset({"deployer"}),
    scopes=frozenset({TokenScope.READ, TokenScope.DEPLOY}),
    services=("greeter-commands",),
    environments=("staging",),
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


def test_an_account_belongs_to_the_person_that_the_catalog_names(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "alice")
    actor = account(CATALOG)
    assert (actor.person, actor.mention, actor.ids) == (11, 11, {11, actor.id})
    run_by(monkeypatch, "runner")
    assert (account(CATALOG).person, account(CATALOG).ids) == (None, {account(CATALOG).id})


def test_where_everyone_is_the_same_account_a_change_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "runner")
    service.refuse_shared(account(CATALOG), Settings())
    with pytest.raises(Refused, match=r"Everyone here is runner@.*cannot tell who asks.*--as.*SLIPWAY_TOKEN"):
        service.refuse_shared(account(CATALOG), Settings(shared_account=True))


class OneToken:
    """A store of tokens with one."""

    def __init__(self, **changes: Any) -> None:
        self.token = replace(TOKEN, **changes)

    async def find(self, secret: str) -> ApiToken | None:
        return self.token if secret == SECRET else None


async def found(named: str, store: OneToken, *, has: frozenset[str] = frozenset({"deployer"})) -> ApiToken:
    members = Roles()
    members.taken[TOKEN.owner_id] = set(BOSS.roles) - has
    return await service.owned(named, GUILD, store, members, NOW)


async def test_a_personal_token_says_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_TOKEN", SECRET)
    token = await found("alice-laptop", OneToken())
    assert (token.actor.id, token.actor.roles) == (11, {"deployer"})
    gone = await found("alice-laptop", OneToken(), has=frozenset({"on-call"}))
    assert gone.roles == frozenset(), "roles that the owner does not have count as little as those not given"


@pytest.mark.parametrize(
    ("named", "secret", "changes", "said"),
    [
        ("alice-laptop", "", {}, "takes its secret.*SLIPWAY_TOKEN"),
        ("alice-laptop", "guessed", {}, "SLIPWAY_TOKEN is not the token `alice-laptop`"),
        ("bob-laptop", SECRET, {}, "SLIPWAY_TOKEN is not the token `bob-laptop`"),
        ("alice-laptop", SECRET, {"revoked_at": NOW}, "`alice-laptop` is expired or revoked"),
        ("alice-laptop", SECRET, {"expires_at": NOW}, "`alice-laptop` is expired or revoked"),
        ("alice-laptop", SECRET, {"guild_id": 2}, "is not for the server shop"),
    ],
)
async def test_no_one_acts_for_another_person(
    monkeypatch: pytest.MonkeyPatch, named: str, secret: str, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("SLIPWAY_TOKEN", secret)
    with pytest.raises(Refused, match=said) as refused:
        await found(named, OneToken(**changes))
    assert not secret or secret not in str(refused.value)


def test_a_token_does_no_more_than_its_scopes_and_limits() -> None:
    greeter = SimpleNamespace(service="greeter-commands")
    catalog = Catalog({}, {}, "digest", applications={"greeter": greeter})  # type: ignore[dict-item]
    held = service.OpenedService(Any, Any, catalog, 1, TOKEN.actor, TOKEN)  # type: ignore[arg-type]
    held.permit(TokenScope.DEPLOY, "greeter", "staging")
    with pytest.raises(Refused, match="does not have the scope `operate`"):
        held.permit(TokenScope.OPERATE, "greeter", "staging")
    with pytest.raises(
        Refused, match="is limited to greeter-commands in staging, not greeter-commands/production"
    ):
        held.permit(TokenScope.DEPLOY, "greeter", "production")
    replace(held, token=None).permit(TokenScope.OPERATE, "greeter", "production")


def test_a_refusal_names_the_roles_of_the_token() -> None:
    named = "The token `alice-laptop` has `deployer`"
    with pytest.raises(Refused, match=named), as_account(TOKEN.actor, TOKEN):
        raise Refused("That is for `lead`.", rule="role", remedy="Ask someone.")


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

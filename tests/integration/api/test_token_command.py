"""`slipway token`: makes a token, shows it once, lists it without its secret, and revokes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.tokens import PREFIX, PostgresTokens
from tests.support.catalog_files import SOUND, write
from tests.support.cli import Cli

ADA = ("--owner", "123456789012345678", "--owner-name", "Ada")


@pytest.fixture
def cli(tmp_path: Path, dsn: str) -> Cli:
    write(tmp_path / "config", all=SOUND)
    return Cli(tmp_path, DATABASE_URL=dsn)


async def test_a_token_is_printed_once_and_works_until_it_is_revoked(cli: Cli, dsn: str) -> None:
    limits = ("--service", "checkout", "--environment", "staging")
    said = await cli("token", "create", "ci", *ADA, "--role", "deployer", "--scope", "deploy", *limits)
    assert said.code == 0, said.err
    assert "✓ token ci for Ada, expires in " in said.err
    secret = said.out.strip()
    assert secret.startswith(PREFIX)
    async with Database(dsn) as database:
        found = await PostgresTokens(database).find(secret)
        assert found is not None
        assert (found.owner_id, found.actor.name) == (123456789012345678, "Ada (token ci)")
        assert (found.roles, found.scopes) == ({"deployer"}, {"read", "deploy"})
        assert (found.services, found.environments) == (("checkout",), ("staging",))
        listed = await cli("token", "list")
        assert listed.out.startswith("ci: Ada (123456789012345678) · scopes deploy, read · roles deployer · ")
        assert "limited to checkout; staging" in listed.out and secret not in listed.out
        gone = await cli("token", "revoke", "ci")
        assert (gone.code, gone.out) == (0, "✓ token ci of Ada is revoked\n")
        revoked = await PostgresTokens(database).find(secret)
        assert revoked is not None and revoked.revoked_at is not None
    assert json.loads((await cli("token", "list", "--json")).out) == []
    kept = json.loads((await cli("token", "list", "--all", "--json")).out)
    assert [(one["name"], one["owner_id"]) for one in kept] == [("ci", "123456789012345678")]


async def test_json_has_the_token_and_all_that_it_may(cli: Cli) -> None:
    said = await cli("token", "create", "reader", *ADA, "--expires", "never", "--json")
    made = json.loads(said.out)
    assert (made["scopes"], made["roles"], made["expires_at"]) == (["read"], [], None)
    assert made["token"].startswith(PREFIX)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ci", "--role", "deploier"), "There is no role `deploier` of harbor. Did you mean `deployer`"),
        (("ci", "--service", "chekout"), "Did you mean `checkout`"),
        (("ci", "--environment", "stagin"), "Did you mean `staging`"),
        (("CI token",), "`CI token` is not a name for a token."),
        (("ci", "--expires", "soon"), "`soon` is not a time. Use 12h, 90d, 26w or never."),
        (("ci", "--server", "harbour"), "Did you mean `harbor`"),
    ],
)
async def test_a_mistake_is_a_sentence(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    said = await cli("token", "create", *words, *ADA)
    assert (said.code, said.out) == (1, "")
    assert sentence in said.err


async def test_a_name_is_given_once(cli: Cli) -> None:
    assert (await cli("token", "create", "ci", *ADA)).code == 0
    said = await cli("token", "create", "ci", *ADA)
    assert said.code == 1
    assert "There is a token `ci` already." in said.err
    said = await cli("token", "revoke", "cj")
    assert said.code == 1
    assert "There is no token `cj`. Did you mean `ci`?" in said.err

"""The commits that a rollout changes: looked up beside it, kept with it, shown where people decide."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.adapters.sources.github_commits import GithubComparison
from bot.domain.config import Repository
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.model import Action, Phase, Rollout
from bot.domain.secret import Secret
from bot.engine.api import DeployRequest, DryRun, RollbackRequest, RolloutView
from bot.ui.cards.card import draw
from bot.ui.interactions import lists
from bot.web.api import formatting
from tests.fakes.github import GithubApi, line_of, serving, sha
from tests.fakes.outside import FakeReleases
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.catalogs import GATED, LONG, PRODUCTION, V140, V150, catalog
from tests.support.harness import Slipway, World
from tests.support.waiting import until

OLD, NEW = replace(V140, commit=sha(0)), replace(V150, commit=sha(3))
LONG_ENOUGH_S = 30.0


@pytest.fixture
async def github() -> AsyncIterator[GithubApi]:
    people = [("ada", "Ada"), ("ada", "Ada"), ("grace", "Grace"), ("ada", "Ada")]
    async with serving(GithubApi(commits=line_of(people))) as api:
        yield api


async def world(dsn: str, github: GithubApi, plan: object = GATED) -> World:
    repository = Repository("acme/checkout", Secret(github.token), github.url)
    made = World(dsn, catalog(plan, repository=repository))  # type: ignore[arg-type]
    made.releases = FakeReleases({"checkout": [NEW, OLD]})
    await made.serve(OLD)
    return made


async def read(slipway: Slipway, begun: Rollout) -> Changes:
    async def changes() -> Changes | None:
        return (await slipway.now(begun)).changes

    found = await until(changes, lambda each: each is not None and not each.reading)
    assert found is not None
    return found


def card(rollout: Rollout) -> str:
    return json.dumps(
        draw(RolloutView(rollout, (), (), None), datetime.now(UTC)).view.to_components(),  # type: ignore[no-untyped-call]
        ensure_ascii=False,
    )


async def test_the_gate_shows_commits_authors_and_link_and_so_do_api_and_audit(
    github: GithubApi, dsn: str
) -> None:
    made = await world(dsn, github)
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.deploy(NEW, PRODUCTION)
        assert begun.changes is not None and begun.changes.reading
        found = await read(slipway, begun)
        link = f"{github.url}/acme/checkout/compare/{sha(0)}...{sha(3)}"
        assert found == Changes(sha(0), sha(3), added=3, removed=0, authors=("ada", "grace"), link=link)
        gated = await slipway.reaches(begun, Phase.GATED)
        text = card(gated)
        assert "3 commits by ada and grace." in text
        assert f"`{sha(0)[:10]}` → `{sha(3)[:10]}` · [compare]({link})" in text
        shown = formatting.rollout(gated, datetime.now(UTC)).changes
        assert shown is not None
        assert (shown.added, shown.authors, shown.link) == (3, ["ada", "grace"], link)
        assert shown.sentence == "3 commits by ada and grace."
        (line,) = await slipway.audit("changes")
        assert line["why"] == f"3 commits by ada and grace. {link}"
        asked = len(github.asked)
        await slipway.press(gated, Action.APPROVE, LEAD)
        done = await slipway.reaches(begun, Phase.SUCCEEDED, Phase.HELD)
        assert done.changes == found
        assert len(github.asked) == asked  # redrawn cards ask nothing


async def dry_run(slipway: Slipway) -> DryRun:
    found = await slipway.engine.deploy(
        DeployRequest(slipway.world.guild, DEV, "checkout", NEW.version, "production", dry_run=True)
    )
    assert isinstance(found, DryRun)
    return found


def shown(found: DryRun) -> str:
    view = lists.dry_run(found).view
    assert view is not None
    return json.dumps(view.to_components(), ensure_ascii=False)  # type: ignore[no-untyped-call]


async def test_a_dry_run_shows_what_the_gate_would(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        found = await dry_run(slipway)
        link = f"{github.url}/acme/checkout/compare/{sha(0)}...{sha(3)}"
        said = f"📝 3 commits by ada and grace. `{sha(0)[:10]}` → `{sha(3)[:10]}` · [compare]({link})"
        assert said in shown(found)
        answered = formatting.dry_run(found).changes
        assert answered is not None
        assert (answered.added, answered.authors, answered.link) == (3, ["ada", "grace"], link)
        assert await slipway.store.rollouts.active() == []
        begun = await slipway.deploy(NEW, PRODUCTION)
        assert found.changes == await read(slipway, begun)
        assert said in card(await slipway.reaches(begun, Phase.GATED))


async def test_a_dry_run_waits_only_a_little_for_github(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    github.wait_s = 600.0
    async with made.open(changes=GithubComparison(600.0), answer_s=6.0) as slipway:
        found = await dry_run(slipway)
        assert found.changes is not None and not found.changes.reading
        text = shown(found)
        assert "What changes could not be read: no answer within 4.5 s." in text
        assert f"[compare]({found.changes.link})" in text


async def test_a_dry_run_without_a_repository_shows_the_commits(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    lanes = {lane: replace(config, repository=None) for lane, config in made.catalog.lanes.items()}
    made.catalog = replace(made.catalog, lanes=lanes)
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        assert f"📝 `{sha(0)[:10]}` → `{sha(3)[:10]}`" in shown(await dry_run(slipway))
    assert github.asked == []


async def test_a_github_that_hangs_delays_nothing_and_is_told(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github, LONG)
    github.wait_s = 600.0
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.soaking()
        now = await slipway.now(begun)
        assert now.changes is not None and now.changes.reading
        assert "The commits are being looked up." in card(now)
        await slipway.press(now, Action.ROLL_BACK, ONCALL)
        ended = await slipway.reaches(begun, Phase.ROLLED_BACK)
        assert ended.changes is not None
        assert ended.changes.problem == "the rollout ended before they were."


async def test_what_cannot_be_read_is_told_with_what_is_known(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    github.status = 502
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.deploy(NEW, PRODUCTION)
        found = await read(slipway, begun)
        assert found.problem == "GitHub answered 502."
        gated = await slipway.reaches(begun, Phase.GATED)
        assert "What changes could not be read: GitHub answered 502." in card(gated)
        assert f"[compare]({found.link})" in card(gated)


async def test_a_bot_that_dies_while_it_asks_asks_again(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    github.wait_s = 600.0
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.deploy(NEW, PRODUCTION)
        await until(lambda: _is(github.asked))
    github.wait_s = 0.0
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        assert (await read(slipway, begun)).added == 3


async def _is(value: object) -> bool:
    return bool(value)


async def test_a_return_says_how_far_it_goes_back(github: GithubApi, dsn: str) -> None:
    made = await world(dsn, github)
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.deploy(NEW, PRODUCTION)
        await slipway.press(await slipway.reaches(begun, Phase.GATED), Action.APPROVE, LEAD)
        await slipway.reaches(begun, Phase.SUCCEEDED)
        github.wait_s = 0.0
        back = await slipway.engine.roll_back(
            RollbackRequest(made.guild, ONCALL, "checkout", "production", reason="prices are wrong")
        )
        assert back.changes is not None
        assert (back.changes.before, back.changes.after) == (sha(3), sha(0))
        async with slipway.database.connection() as connection:
            kinds = await connection.fetch("SELECT kind FROM effects WHERE rollout_id = $1", back.id)
        assert "read_changes" in {row["kind"] for row in kinds}


async def test_without_a_repository_the_commits_are_shown_and_nothing_is_asked(
    github: GithubApi, dsn: str
) -> None:
    made = await world(dsn, github)
    lanes = {lane: replace(config, repository=None) for lane, config in made.catalog.lanes.items()}
    made.catalog = replace(made.catalog, lanes=lanes)
    async with made.open(changes=GithubComparison(LONG_ENOUGH_S)) as slipway:
        begun = await slipway.deploy(NEW, PRODUCTION)
        assert begun.changes == Changes(sha(0), sha(3))
        gated = await slipway.reaches(begun, Phase.GATED)
        assert f"📝 `{sha(0)[:10]}` → `{sha(3)[:10]}`" in card(gated)
        assert "[compare]" not in card(gated)
    assert github.asked == []

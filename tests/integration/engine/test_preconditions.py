"""Preconditions from GitHub: shown on the card, and refused all at once when they are not met."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.adapters.sources.preconditions import GithubPreconditions
from bot.domain.config import Preconditions
from bot.domain.errors import Refused
from bot.domain.rollout.model import Precondition, Release
from bot.domain.secret import Secret
from bot.engine.api import DeployRequest, DryRun, RolloutView
from bot.ui.cards.card import draw
from tests.fakes.github import COMMIT, GithubApi, serving
from tests.fakes.outside import FakeReleases
from tests.support.actors import DEV
from tests.support.catalogs import PRODUCTION, V150, catalog
from tests.support.harness import World

RELEASE = replace(V150, commit=COMMIT)
LONG_ENOUGH_S = 30.0


@pytest.fixture
async def github() -> AsyncIterator[GithubApi]:
    api = GithubApi(
        runs=[("build", "completed", "success"), ("docs", "completed", "skipped")],
        statuses={"ci/old": "success"},
        pulls=[(7, True, "ada")],
        reviews=[("bob", "APPROVED", "MEMBER")],
        files={"CHANGELOG.md": "# Changelog\n\n## 1.5.0 (2026-11-20)\n- prices\n"},
    )
    async with serving(api):
        yield api


def wanted(github: GithubApi, **changes: object) -> Preconditions:
    usual = Preconditions(
        "acme/checkout",
        approvals=1,
        changelog="CHANGELOG.md",
        token=Secret(github.token),
        api=github.url,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


async def look(github: GithubApi, release: Release = RELEASE, **changes: object) -> Sequence[Precondition]:
    return await GithubPreconditions(LONG_ENOUGH_S).look(wanted(github, **changes), release)


async def one(github: GithubApi, what: str, release: Release = RELEASE) -> tuple[bool, str]:
    found = {p.what: p for p in await look(github, release)}
    return found[what].met, found[what].sentence


async def test_all_are_met(github: GithubApi) -> None:
    assert await look(github) == [
        Precondition("checks", True, "3 checks of 0123456789 are green."),
        Precondition("pull request", True, "Pull request #7 is approved by bob."),
        Precondition("changelog", True, "CHANGELOG.md has an entry for 1.5.0."),
    ]


async def test_only_what_is_wanted_is_asked(github: GithubApi) -> None:
    found = await look(github, checks=False, approvals=0)
    assert [p.what for p in found] == ["changelog"]
    assert github.asked == ["/contents/CHANGELOG.md"]


@pytest.mark.parametrize(
    ("runs", "statuses", "sentence"),
    [
        ([], {}, "No check has run for 0123456789."),
        (
            [("build", "completed", "failure"), ("e2e", "in_progress", None)],
            {"ci/old": "error"},
            "Not all checks of 0123456789 are green; failed: build, ci/old; not finished: e2e.",
        ),
        ([("b", "completed", "success")], {"ci": "pending"}, "not finished: ci."),
        ([("b", "completed", "cancelled")], {}, "failed: b."),
        ([("b", "completed", "success")] * 150 + [("z", "completed", "timed_out")], {}, "failed: z."),
    ],
)
async def test_a_check_that_is_not_green_is_named(
    github: GithubApi, runs: list[tuple[str, str, str | None]], statuses: dict[str, str], sentence: str
) -> None:
    github.runs, github.statuses = runs, statuses
    met, said = await one(github, "checks")
    assert not met
    assert said.endswith(sentence)


@pytest.mark.parametrize(
    ("reviews", "approving"),
    [
        ([], 0),
        ([("bob", "APPROVED", "NONE")], 0),  # anyone may review a public repository
        ([("ada", "APPROVED", "OWNER")], 0),  # its own author
        ([("bob", "APPROVED", "MEMBER"), ("bob", "CHANGES_REQUESTED", "MEMBER")], 0),
        ([("bob", "APPROVED", "MEMBER"), ("bob", "DISMISSED", "MEMBER")], 0),
        ([("bob", "APPROVED", "MEMBER"), ("bob", "COMMENTED", "MEMBER")], 1),
        ([("bob", "COMMENTED", "MEMBER")] * 130 + [("eve", "APPROVED", "COLLABORATOR")], 1),
    ],
)
async def test_approvals_count_for_people_with_write_access_by_their_last_decision(
    github: GithubApi, reviews: list[tuple[str, str, str]], approving: int
) -> None:
    github.reviews = reviews
    met, said = await one(github, "pull request")
    assert met is (approving == 1), said


async def test_a_commit_without_a_merged_pull_request_is_not_approved(github: GithubApi) -> None:
    github.pulls = [(7, False, "ada")]
    assert await one(github, "pull request") == (
        False,
        "No merged pull request contains 0123456789.",
    )


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("## [1.5.0]\n", True),
        ("# v1.5.0\n", True),
        ("## 1.5.0.\n", True),
        ("## 11.5.0\n", False),
        ("## 1.5.0-rc.1\n## 1.5.01\n", False),
        ("1.5.0 is mentioned\n", False),
        ("## 1x5x0\n", False),
    ],
)
async def test_a_heading_of_the_changelog_names_the_version(github: GithubApi, text: str, met: bool) -> None:
    github.files["CHANGELOG.md"] = text
    assert (await one(github, "changelog"))[0] is met


async def test_what_cannot_be_asked_is_not_met(github: GithubApi) -> None:
    github.status = 502
    assert {p.met for p in await look(github)} == {False}
    assert "answered 502" in (await one(github, "checks"))[1]
    github.status = 200
    found = await look(github, release=replace(RELEASE, commit=""))
    assert {p.sentence for p in found} == {"checkout 1.5.0 does not say which commit it is made from."}
    found = await look(github, token=Secret("wrong"))
    assert all("answered 401" in p.sentence and "wrong" not in p.sentence for p in found)


async def test_unmet_ones_refuse_the_start_with_all_reasons_and_met_ones_are_on_the_card(
    github: GithubApi, dsn: str
) -> None:
    world = World(dsn, catalog(preconditions=(wanted(github), replace(wanted(github), changelog=""))))
    world.releases = FakeReleases({"checkout": [RELEASE]})
    await world.serve()
    async with world.open(working=False, preconditions=GithubPreconditions(LONG_ENOUGH_S)) as slipway:
        github.runs, github.files = [("build", "completed", "failure")], {"CHANGELOG.md": "# 1.4.0\n"}
        with pytest.raises(Refused) as refused:
            await slipway.deploy(RELEASE, PRODUCTION)
        assert refused.value.rule == "precondition"
        assert refused.value.sentence.startswith("Preconditions are not met: Not all checks of 0123456789")
        assert "failed: build." in refused.value.sentence
        assert "CHANGELOG.md has no heading with 1.5.0." in refused.value.sentence
        github.runs[0] = ("build", "completed", "success")
        github.files["CHANGELOG.md"] = "# 1.5.0\n"
        begun = await slipway.deploy(RELEASE, PRODUCTION, DEV)
        stored = await slipway.now(begun)
        assert [p.what for p in stored.preconditions] == ["checks", "pull request", "changelog"]
        assert stored.seal == begun.seal
        text = str(draw(RolloutView(stored, (), (), None), datetime.now(UTC)).view.to_components())
        assert "✓ Pull request" in text and "is approved by bob." in text
        shown = await slipway.engine.deploy(
            DeployRequest(world.guild, DEV, "checkout", "1.5.0", "production", dry_run=True)
        )
        assert isinstance(shown, DryRun)
        assert "2 checks of 0123456789 are green." in {finding.sentence for finding in shown.findings}

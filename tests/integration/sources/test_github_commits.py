"""What a rollout changes, from a strict fake of GitHub that is held to GitHub's own description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.adapters.sources.github_commits import GithubComparison
from bot.domain.config import Repository
from bot.domain.rollout.changes import Changes
from bot.domain.secret import Secret
from tests.fakes.github import GithubApi, line_of, serving, sha

PATIENCE_S = 30.0
ADA, GRACE, ALAN = ("ada", "Ada L."), ("grace", "Grace H."), (None, "Alan T.")


@pytest.fixture
async def api() -> AsyncIterator[GithubApi]:
    async with serving(GithubApi(commits=line_of([ADA, GRACE, ADA, ALAN, GRACE, GRACE]))) as made:
        yield made


def repository(api: GithubApi, name: str = "acme/checkout", token: str = "") -> Repository:
    return Repository(name, Secret(token or api.token), api.url)


async def look(api: GithubApi, before: int, after: int, **more: Any) -> Changes:
    known = Changes(sha(before), sha(after), reading=True, link="https://github.com/acme/checkout/compare/x")
    return await GithubComparison(more.pop("timeout_s", PATIENCE_S)).look(repository(api, **more), known)


async def test_commits_are_counted_and_authors_named_most_commits_first(api: GithubApi) -> None:
    found = await look(api, 0, 5)
    assert (found.added, found.removed) == (5, 0)
    assert found.authors == ("grace", "ada", "Alan T.")
    assert (found.others, found.read, found.problem) == (0, None, "")
    assert found.link == "https://github.com/acme/checkout/compare/x"


async def test_going_back_names_the_authors_of_what_is_taken_back(api: GithubApi) -> None:
    found = await look(api, 5, 2)
    assert (found.added, found.removed) == (0, 3)
    assert found.authors == ("grace", "Alan T.")


async def test_a_branch_says_what_is_new_and_what_is_missing(api: GithubApi) -> None:
    api.commits["b" * 40] = (sha(2), "joan", "Joan")
    known = Changes(sha(5), "b" * 40)
    found = await GithubComparison(PATIENCE_S).look(repository(api), known)
    assert (found.added, found.removed, found.authors) == (1, 3, ("joan",))


async def test_the_same_commit_has_no_authors(api: GithubApi) -> None:
    found = await look(api, 3, 3)
    assert (found.added, found.removed, found.authors) == (0, 0, ())


async def test_all_commits_of_a_long_comparison_are_counted_and_authors_of_the_first_are_named(
    api: GithubApi,
) -> None:
    api.commits = line_of([ADA] * 290 + [GRACE] * 200)
    found = await look(api, 0, 489)
    assert (found.added, found.read, found.authors) == (489, 300, ("ada", "grace"))
    assert len(api.asked) == 3


async def test_names_are_short_few_and_without_marks(api: GithubApi) -> None:
    hostile = "@everyone **[x](https://evil.example)** ||`<@1>`||\n# " + "ä" * 200
    api.commits = line_of(
        [(None, hostile), *((None, hostile + str(n)) for n in range(3)), *[(f"u{n}", "") for n in range(9)]]
    )
    api.commits[sha(1)] = (sha(0), None, hostile)
    found = await look(api, 0, 12)
    assert found.others + len(found.authors) == 10
    assert len(found.authors) == 5
    for name in found.authors:
        assert len(name) <= 40
        assert not set(name) & set("@*`<>|\n#:/()")


async def test_a_commit_without_any_name_counts_all_the_same(api: GithubApi) -> None:
    api.commits = line_of([ADA, (None, None), (None, "")])
    found = await look(api, 0, 2)
    assert (found.added, found.authors) == (2, ())


@pytest.mark.parametrize(
    ("fault", "settings", "said"),
    [
        ({}, {"token": "another"}, "GitHub refuses the token (401)."),
        ({}, {"name": "acme/other"}, "GitHub does not have both commits, or this token may not see them."),
        ({"commits": {}}, {}, "GitHub does not have both commits, or this token may not see them."),
        ({"status": 502}, {}, "GitHub answered 502."),
        ({"limited_until": 4_000_000_000}, {}, "GitHub allows no more requests for now."),
        ({"say": "<html>"}, {}, "GitHub's answer cannot be read (JSONDecodeError)."),
        ({"say": "[]"}, {}, "GitHub's answer cannot be read (TypeError)."),
        ({"say": '{"ahead_by": 2}'}, {}, "GitHub's answer cannot be read (KeyError)."),
        ({"say": '{"ahead_by": -2, "behind_by": 0}'}, {}, "GitHub's answer cannot be read (ValueError)."),
    ],
)
async def test_what_goes_wrong_is_a_sentence_and_invents_nothing(
    api: GithubApi, fault: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    for name, value in fault.items():
        setattr(api, name, value)
    found = await look(api, 0, 5, **settings)
    assert found.problem == said
    assert (found.added, found.removed, found.authors) == (None, None, ())
    assert (found.before, found.after) == (sha(0), sha(5))


async def test_a_server_that_is_slow_is_given_up_in_time(api: GithubApi) -> None:
    api.wait_s = 20.0
    found = await asyncio.wait_for(look(api, 0, 5, timeout_s=0.3), 10.0)
    assert "within 0.3 s" in found.problem


async def test_a_server_that_is_away_is_a_sentence() -> None:
    found = await look(GithubApi(url="http://127.0.0.1:9"), 0, 5)
    assert found.problem.startswith("GitHub cannot be asked: ")

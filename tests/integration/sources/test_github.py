"""Releases of a repository on GitHub, from a strict fake that is held to GitHub's own description."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.adapters.sources.github import GithubReleases, GithubReleasesSettings
from bot.adapters.sources.releases import FoundRelease
from bot.domain.phrasebook import NO_DETAILS
from bot.ports.errors import Unreachable
from tests.fakes.github import COMMIT, GithubApi, published, serving

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC).timestamp()


@pytest.fixture
async def api() -> AsyncIterator[GithubApi]:
    made = GithubApi(
        releases=[
            published("v1.5.0", "2026-11-18T10:00:00Z", name="Round prices"),
            published("v1.4.9", "2026-11-19T10:00:00Z", name="v1.4.9"),
            published("v1.6.0-rc1", "2026-11-20T10:00:00Z", prerelease=True),
            published("v2.0.0", None, draft=True),
            published("docs-7", "2026-11-20T11:00:00Z"),
        ],
        tags={"v1.5.0": COMMIT},
    )
    async with serving(made):
        yield made


def source(api: GithubApi, *, now: list[float] | None = None, **more: Any) -> GithubReleases:
    written = {
        "kind": "github",
        "repository": "acme/checkout",
        "tag": "v{version}",
        "token": api.token,
        "api": api.url,
        "timeout": "30s",
        "spec": {"command": ["run", "{version}"]},
        **more,
    }
    settings = GithubReleasesSettings[ProcessSpecSettings].model_validate(written)
    assert list(settings.problems()) == []
    return GithubReleases("shop", settings, lambda: now[0] if now else NOW)


def versions(found: Sequence[FoundRelease]) -> list[str]:
    return [each.version for each in found]


async def test_published_releases_come_newest_first_with_commit_age_and_subject(api: GithubApi) -> None:
    newest, older = await source(api).look()
    assert (newest.version, newest.commit, newest.subject) == ("1.4.9", "", "")
    assert (older.version, older.commit, older.subject) == ("1.5.0", COMMIT, "Round prices")
    assert older.made_at == datetime(2026, 11, 18, 10, tzinfo=UTC)
    assert older.spec == {"command": ["run", "{version}"]}


async def test_pre_releases_are_offered_when_they_are_wanted(api: GithubApi) -> None:
    assert versions(await source(api, prereleases=True).look()) == ["1.6.0-rc1", "1.4.9", "1.5.0"]


async def test_versions_are_filtered_by_pattern(api: GithubApi) -> None:
    assert versions(await source(api, versions=r"1\.5\..*").look()) == ["1.5.0"]


async def test_pages_are_read_until_there_are_enough(api: GithubApi) -> None:
    api.releases = [published(f"v0.{n}", f"2026-10-01T10:{n % 60:02}:{n // 60:02}Z") for n in range(250)]
    assert len(await source(api).look()) == 200
    assert api.asked.count("/releases") == 2
    api.asked.clear()
    assert len(await source(api, most=1000).look()) == 250
    assert api.asked.count("/releases") == 3


async def test_a_page_that_did_not_change_is_not_sent_again(api: GithubApi) -> None:
    shop = source(api)
    before = await shop.look()
    assert await shop.look() == before
    assert api.unchanged == 2  # releases and tags
    api.releases.insert(0, published("v1.7.0", "2026-11-20T12:00:00Z"))
    assert versions(await shop.look()) == ["1.7.0", "1.4.9", "1.5.0"]
    assert api.unchanged == 3


async def test_a_limit_is_kept_to_and_said(api: GithubApi) -> None:
    now = [NOW]
    shop = source(api, now=now)
    api.limited_until = int(NOW) + 90
    for _ in range(3):
        with pytest.raises(Unreachable, match="GitHub allows no more requests until 14:01:30 UTC"):
            await shop.look()
    assert api.asked.count("/releases") == 1
    api.limited_until, now[0] = 0, NOW + 90
    assert len(await shop.look()) == 2


@pytest.mark.parametrize(
    ("fault", "settings", "said"),
    [
        ({"token": "other"}, {"token": "a-token-of-github"}, r"GitHub refuses the token \(401\)"),
        ({}, {"repository": "acme/other"}, "GitHub has no such repository"),
        ({"status": 500}, {}, "GitHub answered 500"),
        ({"say": "<html>"}, {}, r"GitHub's answer cannot be read \(JSONDecodeError\)"),
        ({"say": "{}"}, {}, r"GitHub's answer cannot be read \(TypeError\)"),
        ({"say": '[{"draft": false}]'}, {}, r"GitHub's answer cannot be read \(KeyError\)"),
        ({"wait_s": 1.0}, {"timeout": "200ms"}, r"did not answer in full within 0\.2 s"),
    ],
)
async def test_what_goes_wrong_is_a_sentence(
    api: GithubApi, fault: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    asking = source(api, **settings)
    for name, value in fault.items():
        setattr(api, name, value)
    with pytest.raises(Unreachable, match=f"The releases of acme/.* cannot be read: .*{said}"):
        await asking.look()


async def test_github_that_is_away_is_a_sentence() -> None:
    with pytest.raises(Unreachable, match="cannot be fetched"):
        await source(GithubApi(url="http://127.0.0.1:9")).look()


@pytest.mark.parametrize(
    ("notes", "mark"),
    [
        (None, ""),
        ("Rounds prices.\nNothing here is irreversible.", ""),
        (
            "Rounds prices.\n\n**Irreversible:** drops the table `coupons`\r\n- more",
            "drops the table `coupons`",
        ),
        ("- irreversible: yes", NO_DETAILS),
        ("## Irreversible:", NO_DETAILS),
        ("Irreversible: no", ""),
        ("Irreversible: " + "x" * 500, "x" * 199 + "…"),
    ],
)
async def test_notes_mark_a_release_as_irreversible(api: GithubApi, notes: str | None, mark: str) -> None:
    api.releases = [published("v1.5.0", "2026-11-18T10:00:00Z", body=notes)]
    (found,) = await source(api).look()
    assert found.irreversible == mark

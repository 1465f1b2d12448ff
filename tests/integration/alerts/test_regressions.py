"""Issues about regressions on GitHub: found by their marker, labelled, assigned, and read when they are closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.composition.adapters import make_tracker
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.watch.regressions import RegressionDraft, RegressionTracker
from tests.fakes.github_issues import GithubIssues, serving_issues
from tests.support.catalog_files import SOUND, check, write

DRAFT = RegressionDraft(
    "checkout/production/abc/1",
    "Regression in checkout/production: 1.5.0 was rolled back",
    "Lane: checkout/production\nWhy: 52% of requests fail",
    "The release stays quarantined until this issue is closed.",
    datetime(2026, 11, 22, 15, tzinfo=UTC),
)


@asynccontextmanager
async def tracking(folder: Path, api: GithubIssues, **more: Any) -> AsyncIterator[RegressionTracker]:
    async with serving_issues(api), aiohttp.ClientSession() as session:
        entry = {"repository": "acme/ops", "token": "${TOKEN}", "api": api.url, "enabled": "true"} | more
        said = ", ".join(f"{key}: {value if key != 'token' else repr(value)}" for key, value in entry.items())
        other = "{kind: github, repository: acme/ops, token: '${TOKEN}'}"
        sinks = f"sinks:\n  other: {other}\n  it: {{kind: github, {said}}}\n"
        found, mistakes = check(write(folder, all=SOUND + sinks), {"TOKEN": api.token})
        assert not mistakes, mistakes
        tracker = make_tracker(lambda: found, session)()
        assert tracker is not None
        yield tracker


async def test_an_issue_is_opened_once_with_label_and_assignees_and_found_when_closed(tmp_path: Path) -> None:
    api = GithubIssues(lost=1)
    api.add("an alert's", "<!-- slipway-alert abc -->", ("alert", "regression"))
    async with tracking(tmp_path, api, regressions="true", assignees="[ada, bob]") as tracker:
        assert tracker.enabled
        assert await tracker.find(DRAFT) is None
        with pytest.raises(Unreachable):
            await tracker.open(DRAFT)
        issue = await tracker.open(DRAFT)
        assert (issue.name, issue.closed) == ("acme/ops#2", False)
        assert issue.url.endswith("/acme/ops/issues/2")
        made = api.issues[1]
        assert made["labels"] == [{"name": "regression"}]
        assert "Why: 52% of requests fail" in made["body"]
        assert await tracker.find(replace(DRAFT, key="another")) is None
        made["state"] = "closed"
        found = await tracker.find(DRAFT)
        assert found is not None and found.closed
    assert len(api.issues) == 2
    assert api.assigned == [("ada", "bob")]


async def test_texts_of_others_are_code_and_short_enough(tmp_path: Path) -> None:
    api = GithubIssues()
    hostile = replace(DRAFT, title="@acme/all " * 500, text="```\n@ada <!-- #1 -->\n" * 1000)
    async with tracking(tmp_path, api, regressions="true") as tracker:
        await tracker.open(hostile)
        assert await tracker.find(hostile) is not None
    before, _, after = api.issues[0]["body"].split("````")
    assert "@" not in before + after


async def test_refusals_and_limits_are_told_apart(tmp_path: Path) -> None:
    api = GithubIssues(answers=[(403, "{}", {"Retry-After": "60"}), (401, "{}", {})])
    async with tracking(tmp_path, api, regressions="true", enabled="false") as tracker:
        assert not tracker.enabled
        with pytest.raises(RateLimited):
            await tracker.find(DRAFT)
        with pytest.raises(SinkRefused, match="token"):
            await tracker.find(DRAFT)


def test_without_a_sink_that_says_so_there_is_none(tmp_path: Path) -> None:
    found, _ = check(write(tmp_path, all=SOUND))
    assert make_tracker(lambda: found, None)() is None  # type: ignore[arg-type]

"""The demo's two stories of alerts, played by a person on the page in Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from demo.launcher import Demo
from demo.stories.language import parse
from demo.stories.runner import play
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(420)]

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update".split()
)
PATIENCE_MS = 90_000
DEPLOYED = """\
given 1.5.0 of search in staging
given 1.5.0 of search in production
"""


@asynccontextmanager
async def opened(demo: Demo, at: str, user: str) -> AsyncIterator[Page]:
    """The page at a channel, as a person; it may log no error."""
    executable = shutil.which("chromium") or CHROMIUM
    if not Path(executable).exists():
        pytest.skip("needs Chromium at /usr/bin/chromium")
    problems: list[str] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = await chromium.new_page(viewport={"width": 1500, "height": 950}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{demo.url}/#harbor/{at}?as={user}")
        await page.wait_for_selector("body[data-ready]")
        yield page
        await chromium.close()
    assert problems == []


async def shows(where: Locator, *words: str) -> None:
    for one in words:
        await expect(where).to_contain_text(one, timeout=PATIENCE_MS)


async def picture(page: Page, name: str) -> None:
    """Keep what is on screen, if someone wants to look."""
    if folder := os.environ.get("PAGE_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def break_half(page: Page, what: str) -> None:
    """Make a version sick in the sandbox's panel."""
    await page.get_by_role("button", name="Sandbox: bots, services and faults").click()
    await page.get_by_role("button", name=f"Make half of the requests of {what} fail").click()
    await expect(page.get_by_role("button", name=f"Mend {what}")).to_be_visible()
    await page.get_by_role("button", name="Close sandbox panel").click()


async def test_a_person_sees_a_sick_service_takes_it_and_rolls_it_back(tmp_path: Path) -> None:
    transcript = Transcript()
    async with Demo(tmp_path / "demo") as demo, Stage(demo.url, transcript) as stage:
        world = SandboxWorld(demo, stage)
        await play(parse(DEPLOYED, tmp_path / "deployed.txt"), world, transcript)
        async with opened(demo, "alerts", "oncall") as page:
            await break_half(page, "search 1.5.0 in production")
            card = page.locator("#main-view li.message").filter(has_text="search → production").first
            await shows(card, "requests fail", "a plausible cause", "1.5.0")
            await card.get_by_role("button", name="Acknowledge").click()
            await shows(card, "acknowledged by On-call")
            await picture(page, "story-acknowledged")
            await card.get_by_role("button", name="Roll back to 1.4.0").click()
            await shows(card, "rollback by On-call", "It is resolved if it stays so")
            await card.get_by_role("button", name="Resolve").click()
            await shows(card, "Resolved", "On-call had it.")
            await expect(card.get_by_role("button", name="Acknowledge")).to_have_count(0)
            await picture(page, "story-resolved")


async def test_an_alert_that_no_one_takes_reaches_people_and_opens_a_war_room(tmp_path: Path) -> None:
    async with Demo(tmp_path / "demo") as demo, opened(demo, "deploys", "oncall") as page:
        channels = page.locator("#channels")
        await break_half(page, "checkout 1.4.0 in production")
        await shows(channels.locator("a", has_text="alerts"), "1")
        await demo.move_clock(900)
        await channels.get_by_role("link", name="Slipway, 1 new message", exact=True).click()
        messages = page.locator("#main-view li.message")
        await shows(messages.last, "requests fail", "No one has acknowledged this for 15 min")
        await picture(page, "story-direct")
        await demo.move_clock(900)
        await shows(messages.last, "No one has acknowledged this for 30 min")
        await demo.move_clock(1800)
        await channels.get_by_role("link", name="incidents").first.click()
        await shows(messages.last, "Who leads this incident?", "incident-")
        await messages.last.get_by_role("button", name="Open thread incident-").click()
        room = page.locator("#thread-view li.message").last
        await shows(room, "checkout/production", "opened")
        await picture(page, "story-war-room")
        await page.get_by_role("button", name="Acting as On-call").click()
        await page.get_by_role("menuitemradio", name="Lead", exact=False).first.click()
        await expect(channels.get_by_role("link", name="Slipway, 1 new message", exact=True)).to_be_visible()

"""The demo's two stories of alerts on the page in Chromium: the first as `make demo PLAY=1` plays it, line by line."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Error, Locator, Page, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from demo.launcher import Demo
from demo.stories.language import Lane, StoryError
from demo.stories.runner import SICK_SERVICE, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Stage
from demo.stories.transcript import Transcript
from demo.stories.world import Answer, Message

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update".split()
)
PATIENCE_MS = 90_000


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
        await load(page, f"{demo.url}/#harbor/{at}?as={user}", problems)
        yield page
        await chromium.close()
    assert problems == []


async def load(page: Page, address: str, problems: list[str]) -> None:
    """Open the page there. Chromium drops requests when a network interface of the machine comes or goes."""
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(str(request.failure)))
    while True:
        try:
            await page.goto(address)
            await page.wait_for_selector("body[data-ready]")
            return
        except Error:
            if not any("net::ERR_NETWORK_CHANGED" in why for why in failed):
                raise
            await page.goto("about:blank")
            failed.clear()
            problems.clear()


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
    await expect(page.get_by_role("button", name=f"Mend {what}")).to_be_visible(timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Close sandbox panel").click()


class PageWorld(SandboxWorld):
    """Presses buttons and breaks services on the page, as the person of the story; all else as `make demo PLAY=1`."""

    def __init__(self, demo: Demo, stage: Stage, page: Page) -> None:
        super().__init__(demo, stage)
        self._url, self._page = demo.url, page

    async def press(self, who: str, message: Message, button: str) -> Answer:
        await self._page.goto(f"{self._url}/#harbor/{message.channel}?as={who}")
        shown = self._page.locator(f'#main-view li.message[data-id="{message.id}"]')
        try:
            async with self._page.expect_response(
                lambda answer: answer.url.endswith("/presses"), timeout=PATIENCE_MS
            ) as begun:
                await shown.get_by_role("button", name=button, exact=True).click(timeout=PATIENCE_MS)
        except PlaywrightTimeout:
            raise StoryError(f"{who} cannot press [{button}] on the page") from None
        return await self.settled((await (await begun.value).json())["interaction"])

    async def errors(self, lane: Lane, version: str, share: float) -> None:
        assert share == 0.5
        await break_half(self._page, f"{lane.service} {version} in {lane.environment}")


async def test_a_person_rolls_a_sick_service_back_and_closes_its_incident(tmp_path: Path) -> None:
    transcript = Transcript()
    async with (
        Demo(tmp_path / "demo") as demo,
        Stage(demo.url, transcript) as stage,
        opened(demo, "alerts", "oncall") as page,
    ):
        await play(read(SICK_SERVICE), PageWorld(demo, stage, page), transcript)
        await page.goto(f"{demo.url}/#harbor/alerts?as=oncall")
        card = page.locator("#main-view li.message").filter(has_text="search → production").first
        await shows(card, "Resolved", "On-call had it.", "rollback by On-call", "a plausible cause", "1.5.0")
        await expect(card.get_by_role("button", name="Roll back")).to_have_count(0, timeout=PATIENCE_MS)
        await picture(page, "story-resolved")
        await page.goto(f"{demo.url}/#harbor/incidents?as=oncall")
        incident = page.locator("#main-view li.message").filter(has_text="What happened").first
        await shows(incident, "closed", "Acknowledged after", "Restored after", "1.5.0 is quarantined")
        await expect(incident.get_by_role("button", name="Close")).to_have_count(0, timeout=PATIENCE_MS)
        await picture(page, "story-closed")
        await incident.get_by_role("button", name="Open thread incident-").click()
        await shows(page.locator("#thread-view li.message").last, "Mark a message with")
        await picture(page, "story-thread")


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
        # The incident's card may come before or after it.
        call = messages.filter(has_text="Who leads this incident?")
        await shows(call, "incident-")
        await call.get_by_role("button", name="Open thread incident-").click()
        room = page.locator("#thread-view li.message").last
        await shows(room, "checkout/production", "opened")
        await picture(page, "story-war-room")
        await page.get_by_role("button", name="Acting as On-call").click()
        await page.get_by_role("menuitemradio", name="Lead", exact=False).first.click()
        called = channels.get_by_role("link", name="Slipway, 1 new message", exact=True)
        await expect(called).to_be_visible(timeout=PATIENCE_MS)

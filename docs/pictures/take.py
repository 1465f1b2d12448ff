"""Pictures of the README: `python docs/pictures/take.py` takes them from the real page with the real bot.

Plays the first story against a demo of its own and takes pictures of the page in the system's Chromium.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.launcher import Demo
from demo.stories import first_light as story
from demo.stories.stage import Stage

HERE = Path(__file__).parent
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


async def photograph(page: Page, demo: Demo, where: str, name: str, settle_s: float = 1.5) -> None:
    """`where` is a deep link's fragment: `harbor/deploys?as=lead`."""
    await page.goto("about:blank")
    await page.goto(f"{demo.url}/#{where}")
    await page.wait_for_selector("body[data-ready]")
    await asyncio.sleep(settle_s)
    await page.screenshot(path=HERE / name)


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="slipway-pictures-"))
    async with Demo(folder, tell=print) as demo, async_playwright() as playwright, Stage(demo.url) as stage:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 1300})
        phone = await browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2)
        await story.deploy(stage, story.GOOD, "staging")
        await story.ended(stage, story.GOOD, "staging", "succeeded")
        await story.deploy(stage, story.GOOD, "production", "the summer sale")
        gate = await story.card(stage, story.GOOD, "production", button="Approve")
        await photograph(phone, demo, "harbor/deploys?as=lead", "gate.png")
        await stage.press("lead", gate["id"], "Approve")
        await story.share_reaches(stage, story.GOOD, 0.2)
        await asyncio.sleep(1)
        await photograph(page, demo, "harbor/deploys?as=dev2", "rollout.png")
        await story.ended(stage, story.GOOD, "production", "succeeded")
        await story.deploy(stage, story.BAD, "staging")
        await story.ended(stage, story.BAD, "staging", "succeeded")
        await story.rolled_back(stage)
        await photograph(phone, demo, "harbor/alerts?as=oncall", "alert.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())

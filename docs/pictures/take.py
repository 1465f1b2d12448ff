"""Pictures of the README: `python docs/pictures/take.py` takes them from the real page with the real bot.

Plays a story against a demo of its own and takes pictures of the page in the system's Chromium.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.launcher import Demo
from demo.stories.runner import parse, play
from demo.stories.sandbox import SandboxWorld
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


AT_THE_GATE = """\
given 1.5.0 of checkout in staging
dev: /deploy service:checkout version:1.5.0 environment:production reason:the summer sale
wait until the card shows waiting for approval
"""
IN_A_SOAK = """\
lead presses [Approve]
wait until 1.5.0 serves 20% of checkout in production
wait 1 s
"""
ROLLED_BACK = """\
wait until the card shows succeeded
given 1.5.1 of checkout in staging
given 1.5.1 of checkout in production, rolled back
wait until 1.5.1 serves 0% of checkout in production
"""
OPENED = """\
guest presses [Why?]
wait 1 s
"""


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="slipway-pictures-"))
    async with Demo(folder, tell=print) as demo, async_playwright() as playwright, Stage(demo.url) as stage:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 1300})
        phone = await browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2)

        async def go_on(story: str) -> None:
            await play(parse(story, Path(__file__)), SandboxWorld(demo, stage), stage.transcript)

        await go_on(AT_THE_GATE)
        await photograph(phone, demo, "harbor/deploys?as=lead", "gate.png")
        await go_on(IN_A_SOAK)
        await photograph(page, demo, "harbor/deploys?as=dev2", "rollout.png")
        await go_on(ROLLED_BACK)
        await photograph(phone, demo, "harbor/alerts?as=oncall", "alert.png")
        await go_on(OPENED)
        tall = await browser.new_page(viewport={"width": 390, "height": 1040}, device_scale_factor=2)
        await photograph(tall, demo, "harbor/deploys?as=guest", "why.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())

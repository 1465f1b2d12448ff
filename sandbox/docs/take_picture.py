"""The README's picture: `python docs/take_picture.py` writes docs/page.png, from the real page with a real bot."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import async_playwright

from discord_sandbox import Sandbox

DOCS = Path(__file__).resolve().parent
TESTS = DOCS.parent / "tests"
sys.path.insert(0, str(TESTS))

from page.conftest import launch  # noqa: E402

ORDER = {"dish": "chocolate", "size": "large", "table": "window"}


async def main() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        addresses = (sandbox.api_base, sandbox.gateway_url, sandbox.token())
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.page_bot", *addresses, cwd=TESTS
        )

        async def call(method: str, path: str, **body: Any) -> Any:
            async with http.request(method, f"{sandbox.api}/{path}", json=body or None) as answer:
                answer.raise_for_status()
                return await answer.json()

        while not (await call("GET", "state"))["applications"][0]["commands"]:
            await asyncio.sleep(0.1)
        for who, command, options in (("ada", "order", ORDER), ("ben", "menu", {})):
            given = {"user": who, "channel": "general", "command": command, "options": options}
            begun = await call("POST", "commands", **given)
            await call("GET", f"interactions/{begun['interaction']}?wait=5")
        async with async_playwright() as playwright:
            browser = await launch(playwright)
            page = await browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
            await page.goto(f"{sandbox.url}/#workshop/general?as=mia")
            await page.wait_for_selector("body[data-ready]")
            await page.locator("#drawer-button").click()
            await page.locator("#main-view .message").last.wait_for()
            await page.screenshot(path=DOCS / "page.png")
            await browser.close()
        bot.kill()
        await bot.wait()


asyncio.run(main())

"""The page in a real Chromium, on a real sandbox with a real bot."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, Playwright, Request, async_playwright, expect

from discord_sandbox import Sandbox, World
from support.page_bot import KITCHEN
from support.paths import TESTS
from support.tcp_proxy import TcpProxy

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE_MS = 60_000
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
# A font is asked for once text is laid out with it.
FONTS_LOADED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
  () => document.fonts.ready.then(() => done()))))"""
# Of Chromium, on a machine that draws the page seconds after it was loaded.
LATE = "was preloaded using link preload but not used within a few seconds"
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Stage:
    """A sandbox with the bot of `support.page_bot`; the browser reaches it through a proxy."""

    sandbox: Sandbox
    proxy: TcpProxy
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """A call of the JSON API, past the proxy."""
        async with self.http.request(method, f"{self.sandbox.api}/{path}", json=body or None) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def say(self, user: str, channel: str, content: str) -> Any:
        return await self.call("POST", "messages", user=user, channel=channel, content=content)

    async def go_on(self) -> None:
        """What the bot shows for a moment alone was seen."""
        await self.say("ada", KITCHEN, "go on")

    async def command(self, user: str, channel: str, command: str, **options: Any) -> Any:
        """Send a slash command; returns the settled interaction."""
        body = await self.call(
            "POST",
            "commands",
            user=user,
            channel=channel,
            command=command,
            options=options,
            application="robot",
        )
        return await self.call("GET", f"interactions/{body['interaction']}?wait=60")


@dataclass
class Tab:
    """One open page, with the errors it logged."""

    page: Page
    problems: list[str] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()
    unanswered: dict[Request, str] = field(default_factory=dict)

    def watch(self) -> None:
        """Note from now on what the page logs, and what it asks."""
        page = self.page
        page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self.request_began)
        page.on("requestfinished", self.request_ended)
        page.on("requestfailed", self.request_ended)

    def request_began(self, request: Request) -> None:
        self.unanswered[request] = request.url

    def request_ended(self, request: Request) -> None:
        self.unanswered.pop(request, None)

    async def load(self, address: str) -> None:
        """Open the page there. Chromium drops requests when a network interface of the machine comes or goes."""
        while True:
            try:
                await self.page.goto(address)
                await self.page.wait_for_selector("body[data-ready]")
                return
            except Error as error:
                other = [problem for problem in self.problems if NETWORK_CHANGED not in problem]
                if other == self.problems and NETWORK_CHANGED not in str(error):
                    error.add_note(f"logged: {self.problems}, not answered: {list(self.unanswered.values())}")
                    raise
                self.problems[:] = other
                await self.page.goto("about:blank")

    @property
    def composer(self) -> Any:
        return self.page.locator("#main-view textarea")

    @property
    def rows(self) -> Any:
        return self.page.locator("#main-view li.message")

    async def type(self, text: str) -> None:
        await self.composer.click()
        await self.page.keyboard.type(text)

    async def keys(self, *names: str) -> None:
        for name in names:
            await self.page.keyboard.press(name)

    async def run(self, command: str) -> None:
        """Send a slash command without required options."""
        await self.type(f"/{command} ")
        await self.keys("Enter")

    async def assert_clean(self) -> None:
        forgiven = (*self.forgiven, LATE, NETWORK_CHANGED)
        problems = [p for p in self.problems if not any(f in p for f in forgiven)]
        assert problems == []
        assert await self.page.evaluate("window.violations") == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await launch(playwright)
        yield chromium
        await chromium.close()


async def launch(playwright: Playwright, environment: dict[str, str] | None = None) -> Browser:
    """The system's Chromium with more environment. Skips the test without one; in CI, fails it."""
    executable = shutil.which("chromium") or CHROMIUM
    if not Path(executable).exists():
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing: apt-get install chromium")
        pytest.skip("the page's tests need Chromium at /usr/bin/chromium")
    expect.set_options(timeout=PATIENCE_MS)  # five seconds without it, also where pages have more
    env = {**os.environ, **(environment or {})}
    return await playwright.chromium.launch(executable_path=executable, args=FLAGS, env=env)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """A world for each file: what one leaves unread is nothing to the next."""
    async with Sandbox(World(rate_limits=False), port=0) as sandbox:
        bot = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "support.page_bot", sandbox.api_base, sandbox.gateway_url, sandbox.token("robot")),
            cwd=TESTS,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        port = int(sandbox.url.rsplit(":", 1)[1])
        async with aiohttp.ClientSession() as http, TcpProxy("127.0.0.1", port) as proxy:
            it = Stage(sandbox, proxy, http)
            try:
                await asyncio.wait_for(_commands_registered(it), 60)
                await it.call("POST", "channels", name=KITCHEN)
                yield it
            finally:
                bot.kill()
                await bot.wait()


async def _commands_registered(stage: Stage) -> None:
    while True:
        applications = (await stage.call("GET", "state"))["applications"]
        if any(one["connected"] and one["commands"] for one in applications):
            return
        await asyncio.sleep(0.05)


Open = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(browser: Browser, stage: Stage) -> AsyncIterator[Open]:
    """Opens the page at a place as a person; no tab may log an error."""
    tabs: list[Tab] = []

    async def open_it(
        at: str = "workshop/general",
        user: str = "ada",
        *,
        width: int = 1280,
        height: int = 800,
        **context: Any,
    ) -> Tab:
        fresh = await browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **context
        )
        fresh.set_default_timeout(PATIENCE_MS)
        page = await fresh.new_page()
        tab = Tab(page)
        tab.watch()
        await page.add_init_script(WATCH)
        await tab.load(f"{stage.url}/#{at}?as={user}")
        await page.wait_for_selector("#main-view .intro:not(:has(.skeleton))")
        await page.evaluate(FONTS_LOADED)
        tabs.append(tab)
        return tab

    yield open_it
    for tab in tabs:
        await tab.assert_clean()
        await tab.page.context.close()

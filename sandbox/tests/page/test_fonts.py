"""Text is legible with DejaVu and Noto Color Emoji alone: an emoji font has digits and spaces of its own."""

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from page.conftest import FONTS_LOADED, Stage, Tab, launch

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FONTS = Path("/usr/share/fonts")
EMOJI = "Noto Color Emoji"
INTER = "Inter Variable"
TEXT = "0123456789 from 1.5.0 → 1.6.0, 25% at 12:30 ✅"
CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""
WIDTHS = """(el) => {
  const text = el.firstChild;
  const size = parseFloat(getComputedStyle(el).fontSize);
  const width = (i) => {
    const range = document.createRange();
    range.setStart(text, i);
    range.setEnd(text, i + 1);
    return range.getBoundingClientRect().width / size;
  };
  return Object.fromEntries([..."0123456789 "].map((char) => [char, width(text.data.indexOf(char))]));
}"""
LEAVES = """() => [...document.querySelectorAll("body *")].filter((el) => !el.children.length && el.checkVisibility()
  && /\\S/.test(el.textContent) && !/\\p{Extended_Pictographic}/u.test(el.textContent.replace(/[0-9]/g, "")))"""
INK = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let ink = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] + data[i + 1] + data[i + 2] > 450) ink += 1;
  return ink / (image.width * image.height);
}"""


@pytest.fixture(scope="session")
def few_fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fontconfig file that knows DejaVu and Noto Color Emoji, as a bare CI machine has them."""
    folder = tmp_path_factory.mktemp("fontconfig")
    (folder / "fonts").mkdir()
    found = [*FONTS.rglob("DejaVuSans*.ttf"), *FONTS.rglob("NotoColorEmoji.ttf")]
    if len({file.name[:4] for file in found}) < 2:
        if os.environ.get("CI") == "true":
            pytest.fail("Fonts are missing: apt-get install fonts-dejavu-core fonts-noto-color-emoji")
        pytest.skip("needs DejaVu and Noto Color Emoji under /usr/share/fonts")
    for file in found:
        (folder / "fonts" / file.name).symlink_to(file)
    config = folder / "fonts.conf"
    config.write_text(CONFIG.format(fonts=folder / "fonts", cache=folder / "cache"))
    return config


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare_browser(few_fonts: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await launch(playwright, {"FONTCONFIG_FILE": str(few_fonts)})
        yield browser
        await browser.close()


async def opened(browser: Browser, stage: Stage, *, font: bool) -> Page:
    """The page with a card, an alert and a message that is `TEXT`; without `font`, the page's own is not served."""
    await stage.command("ada", "general", "order", dish="chocolate", size="large", table="window")
    await stage.say("ben", "general", TEXT)
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    if not font:
        await page.route("**/*.woff2", lambda route: route.abort())
    tab = Tab(page)
    tab.watch()
    await tab.load(f"{stage.url}/#workshop/general?as=mia")
    await written(page).wait_for()
    await page.evaluate(FONTS_LOADED)
    return page


def written(page: Page) -> Any:
    return page.locator("#main-view .text span", has_text=TEXT).last


async def fonts_of(page: Page, handle: Any) -> set[str]:
    """Names of the fonts that actually draw an element's text."""
    session = await page.context.new_cdp_session(page)
    await session.send("DOM.enable")
    await session.send("CSS.enable")
    await session.send("DOM.getDocument")
    await handle.evaluate("(el) => { window.asked = el; }")
    found = await session.send("Runtime.evaluate", {"expression": "window.asked"})
    node = await session.send("DOM.requestNode", {"objectId": found["result"]["objectId"]})
    used = await session.send("CSS.getPlatformFontsForNode", {"nodeId": node["nodeId"]})
    await session.detach()
    return {font["familyName"] for font in used["fonts"]}


def assert_of_a_text_font(widths: dict[str, float]) -> None:
    """Widths in em. An emoji font's digits and spaces are more than one em wide."""
    assert all(0.3 < widths[digit] < 0.75 for digit in "0123456789"), widths
    assert 0.15 < widths[" "] < 0.4, widths


@pytest.mark.parametrize("font", [True, False], ids=["with the page's font", "with system fonts alone"])
async def test_digits_and_spaces_come_from_a_text_font(
    bare_browser: Browser, stage: Stage, font: bool, tmp_path: Path
) -> None:
    page = await opened(bare_browser, stage, font=font)
    text = written(page)
    assert_of_a_text_font(await text.evaluate(WIDTHS))
    used = await fonts_of(page, text)
    assert used == {INTER if font else "DejaVu Sans", EMOJI}  # the emoji itself
    blank = await bare_browser.new_page()
    ink = await blank.evaluate(INK, base64.b64encode(await text.screenshot()).decode())
    assert 0.04 < ink < 0.5, "the text is nearly invisible"
    pictures = Path(os.environ.get("PAGE_PICTURES", tmp_path))
    await page.screenshot(path=pictures / f"fonts-{'inter' if font else 'system'}.png")
    await page.close()
    await blank.close()


async def test_no_text_without_emoji_is_drawn_by_the_emoji_font(bare_browser: Browser, stage: Stage) -> None:
    page = await opened(bare_browser, stage, font=True)
    await page.get_by_role("button", name="Sandbox: bots, services and faults").click()
    await expect(page.get_by_role("complementary", name="Sandbox")).to_contain_text("Robot")
    await page.evaluate(FONTS_LOADED)
    leaves = await page.evaluate_handle(LEAVES)
    wrong: dict[str, set[str]] = {}
    for handle in (await leaves.get_properties()).values():
        used = await fonts_of(page, handle)
        if EMOJI in used:
            wrong[await handle.evaluate("(el) => el.outerHTML.slice(0, 120)")] = used
    assert wrong == {}
    await page.close()


async def test_the_measures_see_digits_from_an_emoji_font(bare_browser: Browser, stage: Stage) -> None:
    """The stack that the page once had where few fonts are installed."""
    page = await opened(bare_browser, stage, font=True)
    await page.evaluate(
        "document.documentElement.style.setProperty('--font', '\"Noto Color Emoji\", sans-serif')"
    )
    text = written(page)
    with pytest.raises(AssertionError):
        assert_of_a_text_font(await text.evaluate(WIDTHS))
    assert await fonts_of(page, text) == {"DejaVu Sans", EMOJI}
    await page.close()

"""Voice channels on the page: a click joins, a button leaves, and who is there is listed."""

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_click_joins_and_a_button_leaves(open_tab: Open, stage: Stage) -> None:
    made = await stage.call("POST", "channels", name="Lounge", type="voice", user_limit=2)
    tab = await open_tab("workshop/general")
    lounge = tab.page.locator(f'a.channel[data-id="{made["id"]}"]')
    inside = tab.page.get_by_role("list", name="In Lounge").get_by_role("listitem")
    await expect(lounge).to_contain_text("0 / 2")
    await lounge.click()
    await expect(inside).to_have_count(1)
    await expect(inside).to_contain_text("Ada")
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("Lounge")

    await stage.call("POST", "voice", user="ben", channel="Lounge", mute=True)
    await expect(inside).to_have_count(2)
    await expect(inside.filter(has_text="Ben").get_by_role("img", name="muted")).to_be_visible()
    await expect(inside.filter(has_text="Ben").get_by_role("button")).to_have_count(0)

    await inside.get_by_role("button", name="Leave").click()
    await expect(inside).to_have_count(1)
    await stage.call("POST", "voice", user="mia", channel="Lounge")
    await lounge.click()
    await expect(tab.page.locator("#toasts")).to_contain_text('"Lounge" is full: its limit is 2.')
    await stage.call("DELETE", f"channels/{made['id']}")
    await expect(lounge).to_have_count(0)
    tab.forgiven = ("Failed to load resource",)
    await tab.assert_clean()

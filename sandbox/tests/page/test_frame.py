"""The frame: channels, connection, keyboard, narrow screens, accessible names."""

import asyncio

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

UNNAMED = """() => {
  const controls = "button, a[href], input, textarea, select, [role=button], [role=combobox]";
  const named = (el) => el.ariaLabel || el.getAttribute("aria-labelledby") || el.innerText?.trim() || el.labels?.length;
  const shown = [...document.querySelectorAll(controls)].filter((el) => el.checkVisibility());
  return shown.filter((el) => !named(el)).map((el) => el.outerHTML);
}"""
PLACES = """() => ["guilds", "channels", "user", "main-view"]
  .find((id) => document.activeElement.closest("#" + id)) ?? \"\""""
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


async def test_a_lost_connection_shows_a_banner_and_loses_no_message(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/news")
    tab.forgiven = ("Failed to load resource",)
    await stage.say("ben", "news", "before the cut")
    await expect(tab.rows.last).to_contain_text("before the cut")
    await stage.proxy.cut()
    try:
        banner = tab.page.locator("#banner")
        await expect(banner).to_contain_text("The connection to the sandbox was lost. Trying again…")
        await stage.say("ben", "news", "while it was away")
        await tab.type("does this arrive?")
        await tab.keys("Enter")
        await expect(tab.page.locator("#main-view .suggest-note.problem")).to_contain_text(
            "The sandbox does not answer."
        )
        await expect(tab.composer).to_have_value("does this arrive?")
    finally:
        stage.proxy.mend()
    await expect(banner).to_be_hidden()
    await expect(tab.rows.filter(has_text="while it was away")).to_have_count(1)
    await tab.composer.focus()
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("does this arrive?")


async def test_keys_move_between_channels_and_unread_ones_are_marked(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/general")
    await tab.composer.focus()
    await tab.keys("Alt+ArrowDown")
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("news")
    await expect(tab.page.get_by_role("link", name="news", exact=True)).to_be_visible()  # read, then
    await tab.keys("Alt+ArrowUp")
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("general")
    await stage.say("mia", "support", "over here")
    link = tab.page.get_by_role("link", name="support, unread")
    await expect(link).to_be_visible()
    await tab.keys("Alt+Shift+ArrowDown")
    await expect(tab.page.get_by_role("link", name="support", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    await expect(link).to_have_count(0)


async def test_new_messages_are_marked_once_unless_they_arrive_in_view(open_tab: Open, stage: Stage) -> None:
    await stage.say("mia", "news", "seen")
    tab = await open_tab("workshop/news")
    await expect(tab.rows.last).to_contain_text("seen")
    await stage.say("mia", "news", "seen too")
    await expect(tab.rows.last).to_contain_text("seen too")
    new = tab.page.get_by_role("separator", name="New")
    await expect(new).to_have_count(0)
    channels = tab.page.get_by_role("navigation", name="Channels")
    await channels.get_by_role("link", name="general").click()
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("general")
    await stage.say("mia", "news", "not seen")
    await channels.get_by_role("link", name="news, unread").click()
    await expect(new).to_have_count(1)
    after = tab.page.locator("#main-view li.divider.new + li.message")
    await expect(after).to_contain_text("not seen")


async def test_mentions_from_before_the_page_was_opened_are_counted(open_tab: Open, stage: Stage) -> None:
    person = stage.sandbox.person_id("max")
    await stage.say("ada", "support", f"<@{person}> please look")
    tab = await open_tab("workshop/general", user="max")
    await expect(tab.page.get_by_role("link", name="support, 1 mention")).to_be_visible()
    assert (await tab.page.title()).startswith("(1) ")


async def test_typing_is_shown(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/news")
    await tab.run("ponder")
    await expect(tab.page.locator("#main-view .typing")).to_have_text("Robot is typing…")
    await stage.go_on()
    await expect(tab.rows.last).to_contain_text("It depends.")
    await expect(tab.page.locator("#main-view .typing")).to_be_empty()


async def test_changed_roles_are_shown(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/news", user="guest")
    acting = tab.page.get_by_role("button", name="Acting as Guest")
    await expect(acting).to_contain_text("no role")
    await stage.call("PATCH", "people/guest", roles=["helper"])
    await expect(acting).to_contain_text("helper")
    await stage.call("PATCH", "people/guest", roles=[])
    await expect(acting).to_contain_text("no role")


async def test_people_come_and_go_under_their_nicknames(open_tab: Open, stage: Stage) -> None:
    await stage.call("POST", "people", name="zoe", display_name="Zoe")
    tab = await open_tab("workshop/support", user="zoe")
    members = tab.page.locator("#members")
    await expect(members).to_contain_text("Zoe")
    await stage.call("PATCH", "people/zoe", nick="Zoe of the night", timeout=600)
    await expect(members).to_contain_text("Zoe of the night")
    await expect(members).to_contain_text("you · timed out")
    await tab.type("hello?")
    await tab.keys("Enter")
    await expect(tab.page.get_by_text("zoe is timed out until")).to_be_visible()
    tab.forgiven = ("403",)
    await stage.call("DELETE", "people/zoe")
    await expect(members).not_to_contain_text("Zoe")
    await expect(tab.page.get_by_role("button", name="Acting as Zoe")).to_have_count(0)


async def test_tab_moves_through_the_page_in_order(open_tab: Open, stage: Stage) -> None:
    await stage.say("ada", "support", "one message at least")
    tab = await open_tab("workshop/support")
    await tab.page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(14):
        await tab.keys("Tab")
        place = await tab.page.evaluate(PLACES)
        if place and place not in seen:
            seen.append(place)
    assert seen == ["guilds", "channels", "user", "main-view"]


async def test_arrow_keys_move_between_messages(open_tab: Open, stage: Stage) -> None:
    for text in ("first", "second", "third"):
        await stage.say("ada", "support", text)
    tab = await open_tab("workshop/support")
    await tab.rows.last.focus()
    await tab.keys("ArrowUp")
    await expect(tab.page.locator(":focus")).to_contain_text("second")
    assert await tab.page.locator("#main-view li.message[tabindex='0']").count() == 1


async def test_every_control_has_a_name_and_the_log_is_announced(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", dish="chocolate", size="large", table="terrace")
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Sandbox: bots, services and faults").click()
    assert await tab.page.evaluate(UNNAMED) == []
    assert await tab.page.locator("img:not([alt])").count() == 0
    for role, name in (
        ("navigation", "Servers"),
        ("navigation", "Channels"),
        ("main", None),
        ("log", "Messages"),
    ):
        await expect(tab.page.get_by_role(role, name=name).first).to_be_visible()
    await expect(tab.page.get_by_role("log", name="Messages", exact=True)).to_have_attribute(
        "aria-live", "polite"
    )


async def test_faults_are_injected_from_the_drawer(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Sandbox: bots, services and faults").click()
    drawer = tab.page.get_by_role("complementary", name="Sandbox")
    await expect(drawer).to_contain_text("Robot")
    await drawer.get_by_label("Kind of fault").select_option("503")
    await drawer.get_by_label("Route (empty for all)").fill("/nowhere")
    await drawer.get_by_role("button", name="Inject").click()
    await expect(drawer.locator(".faults")).to_contain_text("503")
    await drawer.get_by_role("button", name="End fault 503").click()
    faults = (await stage.call("GET", "faults"))["faults"]
    assert not any(fault["active"] for fault in faults)
    await tab.keys("Escape")
    await expect(drawer).to_be_hidden()


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
async def test_nothing_overflows_at_any_width(open_tab: Open, stage: Stage, width: int) -> None:
    await stage.command("ada", "general", "order", dish="chocolate", size="large", table="terrace")
    tab = await open_tab(width=width, height=800)
    await expect(tab.page.get_by_role("button", name="Accept").last).to_be_visible()
    assert await tab.page.evaluate(OVERFLOW) <= 0
    inside = "(el) => el.scrollWidth - el.clientWidth"
    assert await tab.page.locator("#main-view .scroller").evaluate(inside) <= 0
    await tab.composer.fill("/order ")
    await tab.composer.dispatch_event("input")
    await expect(tab.page.locator(".opt")).to_have_count(3)
    assert await tab.page.evaluate(OVERFLOW) <= 0


async def test_on_a_phone_the_channels_slide_in(open_tab: Open) -> None:
    tab = await open_tab(width=360, height=740)
    channels = tab.page.get_by_role("navigation", name="Channels")
    news = channels.get_by_role("link", name="news")
    await expect(news).to_be_hidden()
    await tab.page.get_by_role("button", name="Channels").click()
    await news.click()
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("news")
    await expect(news).to_be_hidden()


async def test_an_unknown_address_falls_back_to_what_exists(open_tab: Open) -> None:
    tab = await open_tab("nowhere/nothing", user="stranger")
    assert tab.page.url.endswith("#workshop/general?as=ada")


async def test_a_restored_world_is_shown_at_once(open_tab: Open, stage: Stage) -> None:
    await stage.say("ben", "news", "before the save")
    saved = await stage.sandbox.save()
    tab = await open_tab("workshop/news")
    await stage.say("ben", "news", "after the save")
    await stage.call("POST", "channels", name="cellar")
    await expect(tab.rows.last).to_contain_text("after the save")
    await expect(tab.page.get_by_role("link", name="cellar")).to_be_visible()
    await stage.sandbox.restore(saved)
    await expect(tab.rows.last).to_contain_text("before the save")
    await expect(tab.page.get_by_role("link", name="cellar")).to_have_count(0)
    async with asyncio.timeout(60):
        while not (await stage.call("GET", "state"))["applications"][0]["connected"]:
            await asyncio.sleep(0.1)

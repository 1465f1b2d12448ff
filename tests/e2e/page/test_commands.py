"""Slash commands, typed with nothing but the keyboard."""

import pytest
from playwright.async_api import expect

from tests.e2e.page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_command_with_autocomplete_is_typed_by_keyboard_alone(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.type("/")
    options = tab.page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    await expect(options.filter(has_text="/deploy")).to_contain_text("Roll out a release of a service")
    await expect(options.filter(has_text="/deploy")).to_contain_text("Slipway")

    await tab.page.keyboard.type("dep")
    await expect(options).to_have_count(1)
    await tab.keys("Tab")
    await expect(tab.page.get_by_role("combobox", name="service:")).to_be_focused()
    await tab.page.keyboard.type("che")
    await expect(options).to_have_text(["checkout"])
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("combobox", name="version:")).to_be_focused()
    await tab.page.keyboard.type("1.5.1")
    await expect(options).to_have_text(["1.5.1 (checkout)"])
    await tab.keys("Tab")
    await expect(options).to_have_text(["staging", "production"])
    await tab.keys("ArrowDown", "Enter", "Enter")

    card = tab.page.locator("#main-view .container").last
    await expect(card).to_contain_text("checkout 1.4.0 → 1.5.0")
    await expect(tab.rows.last).to_contain_text("Dev used deploy")
    await expect(card.get_by_role("img", name="Error rate over time")).to_be_visible()
    await expect(tab.composer).to_be_focused()


async def test_a_line_with_named_options_is_read_as_it_is_typed(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.composer.fill(
        "/deploy service:checkout version:1.5.0 environment:staging dry_run:true reason:two words"
    )
    await tab.composer.dispatch_event("input")
    await expect(tab.page.locator(".opt")).to_have_count(5)
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("Would deploy checkout 1.5.0 to staging: two words")
    await expect(tab.rows.last).to_contain_text("Only you can see this")


async def test_a_missing_required_option_is_asked_for_and_nothing_is_sent(
    open_tab: Open, stage: Stage
) -> None:
    tab = await open_tab()
    await tab.type("/deploy ")
    before = (await stage.call("GET", "state"))["event_id"]
    await tab.page.get_by_role("button", name="Send").click()
    await expect(tab.page.locator(".opt.invalid")).to_contain_text("service")
    await expect(tab.page.locator("#main-view .suggest-note")).to_contain_text(
        "This option is required. Specify a value."
    )
    state = await stage.call("GET", "state")
    assert state["event_id"] - before <= 4  # nothing but the autocomplete's own events
    assert await tab.page.locator(".opt").count() == 3


async def test_optional_options_are_added_and_taken_away_with_the_keyboard(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.type("/deploy ")
    tail = tab.page.get_by_role("combobox", name="More options of /deploy")
    await expect(tail).to_have_attribute("placeholder", "+2 optional")
    await tail.focus()
    await tab.keys("ArrowDown", "Enter")
    reason = tab.page.get_by_role("combobox", name="reason:")
    await expect(reason).to_be_focused()
    await tab.keys("Backspace")
    await expect(reason).to_have_count(0)
    await tab.keys("Escape", "Escape")
    await expect(tab.composer).to_be_focused()


async def test_what_the_server_refuses_is_said_in_its_words(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.composer.fill("/deploy service:checkout version:1 environment:staging reason:x")
    await tab.composer.dispatch_event("input")
    await tab.keys("Enter")
    await expect(tab.page.locator("#main-view .suggest-note.problem")).to_contain_text(
        "at least 3 characters"
    )


async def test_commands_that_a_person_may_not_use_are_not_offered(open_tab: Open) -> None:
    tab = await open_tab(user="guest")
    await tab.type("/")
    options = tab.page.get_by_role("option")
    await expect(options.filter(has_text="/status")).to_have_count(1)
    await expect(options.filter(has_text="/panic")).to_have_count(0)


async def test_a_deferred_answer_thinks_first(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.run("status")
    await expect(tab.rows.last).to_contain_text("Slipway is thinking…")
    await expect(tab.rows.last).to_contain_text("checkout 1.4.0 everywhere.")


async def test_plain_text_is_posted_with_its_mentions(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.type("hello @lead in #alerts")
    await tab.keys("Enter")
    await expect(tab.rows.last.locator(".mention")).to_have_text(["@Lead", "#alerts"])


async def test_a_bot_that_does_not_answer_autocomplete_is_said(open_tab: Open) -> None:
    tab = await open_tab()
    tab.forgiven = ("Failed to load resource",)
    await tab.page.route("**/autocomplete", lambda route: route.fulfill(status=504, json={"error": {}}))
    await tab.type("/deploy ")
    note = tab.page.locator("#main-view .suggest-note.problem")
    await expect(note).to_have_text("Loading options failed.")
    await tab.page.keyboard.type("checkout")
    await expect(note).to_have_text("Loading options failed.")
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("combobox", name="version:")).to_be_focused()


async def test_escape_leaves_a_command_without_sending_it(open_tab: Open) -> None:
    tab = await open_tab()
    before = await tab.rows.count()
    await tab.type("/deploy ")
    await expect(tab.page.get_by_role("option").first).to_be_visible()
    await tab.keys("Escape", "Escape")
    await expect(tab.composer).to_be_focused()
    await expect(tab.composer).to_have_value("")
    assert await tab.rows.count() == before

"""Slash commands, typed with the keyboard alone."""

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_command_with_autocomplete_is_typed_by_keyboard_alone(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.type("/")
    options = tab.page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    await expect(options.filter(has_text="/order")).to_contain_text("Order a dish to a table")
    await expect(options.filter(has_text="/order")).to_contain_text("Robot")

    await tab.page.keyboard.type("ord")
    await expect(options).to_have_count(1)
    await tab.keys("Tab")
    await expect(tab.page.get_by_role("combobox", name="dish:")).to_be_focused()
    await tab.page.keyboard.type("cho")
    await expect(options).to_have_text(["chocolate"])
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("combobox", name="size:")).to_be_focused()
    await tab.page.keyboard.type("large")
    await expect(options).to_have_text(["large (chocolate)"])
    await tab.keys("Tab")
    await expect(options).to_have_text(["terrace", "window"])
    await tab.keys("ArrowDown", "Enter", "Enter")

    card = tab.page.locator("#main-view .container").last
    await expect(card).to_contain_text("chocolate small → large")
    await expect(tab.rows.last).to_contain_text("Ada used order")
    await expect(card.get_by_role("img", name="Orders over time")).to_be_visible()
    await expect(tab.composer).to_be_focused()


async def test_a_line_with_named_options_is_read_as_it_is_typed(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.composer.fill("/order dish:tea size:large table:terrace preview:true note:two words")
    await tab.composer.dispatch_event("input")
    await expect(tab.page.locator(".opt")).to_have_count(5)
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("Would order tea large to the terrace: two words")
    await expect(tab.rows.last).to_contain_text("Only you can see this")


async def test_a_missing_required_option_is_asked_for_and_nothing_is_sent(open_tab: Open) -> None:
    tab = await open_tab()
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    await tab.type("/order ")
    await tab.page.get_by_role("button", name="Send").click()
    await expect(tab.page.locator(".opt.invalid")).to_contain_text("dish")
    note = tab.page.locator("#main-view .suggest-note")
    await expect(note).to_contain_text("This option is required. Specify a value.")
    # What is wrong stays, though the bot's suggestions come after it.
    await expect(tab.page.get_by_role("option", name="soup")).to_be_visible()
    await expect(note).to_contain_text("This option is required. Specify a value.")
    assert [url for url in sent if not url.endswith("/autocomplete")] == []
    assert await tab.page.locator(".opt").count() == 3


async def test_optional_options_are_added_and_removed_with_the_keyboard(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.type("/order ")
    tail = tab.page.get_by_role("combobox", name="More options of /order")
    await expect(tail).to_have_attribute("placeholder", "+2 optional")
    await tail.focus()
    await tab.keys("ArrowDown", "Enter")
    note = tab.page.get_by_role("combobox", name="note:")
    await expect(note).to_be_focused()
    await tab.keys("Backspace")
    await expect(note).to_have_count(0)
    await tab.keys("Escape", "Escape")
    await expect(tab.composer).to_be_focused()


async def test_attachment_options_take_files(open_tab: Open) -> None:
    tab = await open_tab("workshop/support")
    await tab.type("/receipt ")
    picture = tab.page.get_by_role("combobox", name="picture:")
    await expect(picture).to_be_focused()
    await expect(picture).to_have_attribute("placeholder", "Choose a file")
    await tab.page.get_by_role("button", name="Send").click()
    await expect(tab.page.locator("#main-view .suggest-note")).to_contain_text("Choose a file.")
    async with tab.page.expect_file_chooser() as chooser:
        await picture.press("Enter")
    await (await chooser.value).set_files({"name": "bill.txt", "mimeType": "text/plain", "buffer": b"soup"})
    await expect(picture).to_have_value("bill.txt")
    await expect(tab.page.get_by_role("combobox", name="More options of /receipt")).to_be_focused()
    await tab.page.keyboard.type("extra")
    await tab.keys("Enter")
    extra = tab.page.get_by_role("combobox", name="extra:")
    await expect(extra).to_be_focused()
    large = {"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * (10 * 1024 * 1024 + 1)}
    chosen = tab.page.locator(".opt[data-option=extra] input[type=file]")
    await chosen.set_input_files(large)
    await expect(tab.page.locator("#main-view .suggest-note.problem")).to_contain_text("10 MiB")
    await chosen.set_input_files({"name": "tip.txt", "mimeType": "text/plain", "buffer": b"1"})
    await expect(extra).to_have_value("tip.txt")
    await extra.press("Backspace")
    await expect(extra).to_have_value("")
    await extra.press("Backspace")
    await expect(extra).to_have_count(0)
    await picture.press("Enter")
    await expect(tab.rows.last).to_contain_text("Filed: bill.txt with 4 bytes")


async def test_a_form_takes_files(open_tab: Open) -> None:
    tab = await open_tab("workshop/support")
    await tab.run("scan")
    form = tab.page.get_by_role("dialog", name="Scan")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_contain_text("This field is required.")
    papers = [{"name": f"{n}.txt", "mimeType": "text/plain", "buffer": b"x" * n} for n in (1, 2, 3)]
    await form.get_by_label("Papers").set_input_files(papers)
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_contain_text("Choose 1 to 2 files.")
    await form.get_by_label("Papers").set_input_files(papers[:2])
    await form.get_by_role("button", name="Submit").click()
    await expect(tab.rows.last).to_contain_text("Scanned: 1.txt with 1 bytes, 2.txt with 2 bytes")


async def test_a_messages_menu_has_commands_on_it_and_on_its_author(open_tab: Open, stage: Stage) -> None:
    await stage.say("max", "support", "the oven is on")
    tab = await open_tab("workshop/support", user="ada")
    row = tab.rows.filter(has_text="the oven is on").first
    apps = row.get_by_role("button", name="Apps")
    await row.hover()
    await apps.click()
    menu = tab.page.get_by_role("listbox", name="Apps")
    await expect(menu.get_by_role("option")).to_have_text(
        ["BookmarkRobot · on this message", "Wave atRobot · on Max"]
    )
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("Kept: the oven is on")
    await row.hover()
    await apps.click()
    await tab.keys("ArrowDown", "Enter")
    await expect(tab.rows.last).to_contain_text("👋 @Max")
    await expect(tab.rows.last.locator(".context")).to_contain_text("Ada used Wave at")


async def test_a_refusal_is_shown_in_the_servers_words(open_tab: Open) -> None:
    tab = await open_tab()
    await tab.composer.fill("/order dish:tea size:1 table:terrace note:x")
    await tab.composer.dispatch_event("input")
    await tab.keys("Enter")
    await expect(tab.page.locator("#main-view .suggest-note.problem")).to_contain_text(
        "at least 3 characters"
    )


async def test_commands_that_a_person_may_not_use_are_not_offered(open_tab: Open) -> None:
    tab = await open_tab(user="guest")
    await tab.type("/")
    options = tab.page.get_by_role("option")
    await expect(options.filter(has_text="/menu")).to_have_count(1)
    await expect(options.filter(has_text="/panic")).to_have_count(0)


async def test_a_deferred_answer_thinks_first(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.run("menu")
    await expect(tab.rows.last).to_contain_text("Robot is thinking…")
    await stage.go_on()
    await expect(tab.rows.last).to_contain_text("chocolate large today.")


async def test_plain_text_is_posted_with_its_mentions(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab()
    await tab.type("hello @mia in #news")
    await tab.keys("Enter")
    await expect(tab.rows.last.locator(".mention")).to_have_text(["@Mia", "#news"])


async def test_autocomplete_without_an_answer_shows_a_problem(open_tab: Open) -> None:
    tab = await open_tab()
    tab.forgiven = ("Failed to load resource",)
    await tab.page.route("**/autocomplete", lambda route: route.fulfill(status=504, json={"error": {}}))
    await tab.type("/order ")
    note = tab.page.locator("#main-view .suggest-note.problem")
    await expect(note).to_have_text("Loading options failed.")
    await tab.page.keyboard.type("tea")
    await expect(note).to_have_text("Loading options failed.")
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("combobox", name="size:")).to_be_focused()


async def test_escape_leaves_a_command_without_sending_it(open_tab: Open) -> None:
    tab = await open_tab()
    before = await tab.rows.count()
    await tab.type("/order ")
    await expect(tab.page.get_by_role("option").first).to_be_visible()
    await tab.keys("Escape", "Escape")
    await expect(tab.composer).to_be_focused()
    await expect(tab.composer).to_have_value("")
    assert await tab.rows.count() == before

"""The bot of the matrix in hikari."""

import json
import os

import hikari
from hikari.impl import AutocompleteChoiceBuilder as Choice
from hikari.impl import ContainerComponentBuilder as Container
from hikari.impl import InteractiveButtonBuilder as Button
from hikari.impl import MessageActionRowBuilder as Row
from hikari.impl import ModalActionRowBuilder as ModalRow
from hikari.impl import SectionComponentBuilder as Section
from hikari.impl import TextDisplayComponentBuilder as Text
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
intents = hikari.Intents.ALL
# [sandbox]
token = ready["applications"][0]["token"]
bot = hikari.GatewayBot(token, rest_url=ready["api_base"], intents=intents)
# [/sandbox]

DISHES = ("bread", "salad", "soup")
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files", "layout")
Answer, Type = hikari.ResponseType, hikari.OptionType
PRIMARY = hikari.ButtonStyle.PRIMARY


def slash(name: str, *options: hikari.CommandOption) -> hikari.api.SlashCommandBuilder:
    command = bot.rest.slash_command_builder(name, name)
    for option in options:
        command.add_option(option)
    return command


def option(kind: Type, name: str, *, required: bool = True, **more: object) -> hikari.CommandOption:
    return hikari.CommandOption(type=kind, name=name, description=name, is_required=required, **more)


def commands() -> list[hikari.api.CommandBuilder]:
    kinds = (Type.STRING, Type.INTEGER, Type.BOOLEAN, Type.FLOAT, Type.USER, Type.CHANNEL, Type.ROLE)
    names = ("text", "count", "loud", "ratio", "who", "where", "role")
    show = option(Type.SUB_COMMAND, "show", required=False)
    change = option(Type.SUB_COMMAND, "set", required=False, options=[option(Type.INTEGER, "value")])
    limit = option(Type.SUB_COMMAND_GROUP, "limit", required=False, options=[change])
    shown = [hikari.CommandChoice(name=one, value=one) for one in SHOWN]
    return [
        bot.rest.context_menu_command_builder(hikari.CommandType.USER, "Greet"),
        bot.rest.context_menu_command_builder(hikari.CommandType.MESSAGE, "Quote"),
        slash("ping"),
        slash("upload", option(Type.ATTACHMENT, "file")),
        slash("echo", *(option(kind, name) for kind, name in zip(kinds, names, strict=True))),
        slash("settings", show, limit),
        slash("find", option(Type.STRING, "dish", autocomplete=True)),
        slash("member", option(Type.USER, "who"), option(Type.ROLE, "role")),
        slash("overwrite", option(Type.ROLE, "role")),
        slash("show", option(Type.STRING, "what", choices=shown)),
    ]


@bot.listen()
async def on_started(_: hikari.StartedEvent) -> None:
    await bot.rest.set_application_commands(bot.get_me().id, commands())


@bot.listen()
async def on_command(event: hikari.CommandInteractionCreateEvent) -> None:
    it = event.interaction
    values = {one.name: one.value for one in it.options or ()}
    if it.command_name == "ping":
        text = "pong"
    elif it.command_name == "echo":
        text = " ".join(str(one).lower() for one in values.values())
    elif it.command_name == "settings":
        chosen = it.options[0]
        text = "settings" if chosen.name == "show" else f"limit {chosen.options[0].options[0].value}"
    elif it.command_name == "Greet":
        text = f"hello {it.resolved.users[it.target_id].username}"
    elif it.command_name == "Quote":
        text = f"quoted: {it.resolved.messages[it.target_id].content}"
    elif it.command_name == "upload":
        file = it.resolved.attachments[values["file"]]
        text = f"{file.filename}: {(await file.read()).decode()}"
    elif it.command_name == "find":
        text = f"found {values['dish']}"
    elif it.command_name == "member":
        text = await member(it, values["who"], values["role"])
    elif it.command_name == "overwrite":
        text = await overwrite(it, values["role"])
    else:
        await show(it, str(values["what"]))
        return
    await it.create_initial_response(Answer.MESSAGE_CREATE, text)


async def member(it: hikari.CommandInteraction, who: hikari.Snowflake, role: hikari.Snowflake) -> str:
    found = await bot.rest.fetch_member(it.guild_id, who)
    name = it.resolved.roles[role].name
    holds = role in found.role_ids
    await (found.remove_role(role) if holds else found.add_role(role))
    everyone = await bot.rest.fetch_members(it.guild_id)
    return f"{f'took {name} from' if holds else f'gave {name} to'} {found.username}, one of {len(everyone)}"


async def overwrite(it: hikari.CommandInteraction, role: hikari.Snowflake) -> str:
    channel = await bot.rest.fetch_channel(it.channel_id)
    if role in channel.permission_overwrites:
        await channel.remove_overwrite(role)
        return "cleared"
    deny = hikari.Permissions.SEND_MESSAGES
    await channel.edit_overwrite(role, target_type=hikari.PermissionOverwriteType.ROLE, deny=deny)
    return "denied"


async def show(it: hikari.CommandInteraction, what: str) -> None:
    respond = it.create_initial_response
    if what == "buttons":
        row = Row().add_interactive_button(PRIMARY, "more", label="More")
        row.add_interactive_button(PRIMARY, "later", label="Later")
        await respond(Answer.MESSAGE_CREATE, "counter 0", component=row)
    elif what == "selects":
        dishes = Row().add_text_menu("dish", max_values=2)
        for one in ("soup", "salad", "tea"):
            dishes.add_option(one, one)
        kinds = (hikari.ComponentType.USER_SELECT_MENU, hikari.ComponentType.ROLE_SELECT_MENU)
        who, which = (
            Row().add_select_menu(kind, name) for kind, name in zip(kinds, ("who", "which"), strict=True)
        )
        rows = [dishes.parent, who, which, Row().add_channel_menu("where")]
        await respond(Answer.MESSAGE_CREATE, "choose", components=rows)
    elif what == "modal":
        why = ModalRow().add_text_input("why", "Why", style=hikari.TextInputStyle.PARAGRAPH)
        when = ModalRow().add_text_input("when", "When", required=False)
        await it.create_modal_response("Reason", "reason", components=[why, when])
    elif what == "ephemeral":
        await respond(Answer.MESSAGE_CREATE, "only you", flags=hikari.MessageFlag.EPHEMERAL)
    elif what == "deferral":
        await respond(Answer.DEFERRED_MESSAGE_CREATE)
        await it.edit_initial_response("done")
    elif what == "followups":
        await respond(Answer.MESSAGE_CREATE, "one")
        two = await it.execute("two")
        await it.execute("three", flags=hikari.MessageFlag.EPHEMERAL)
        four = await it.execute("four")
        await it.edit_message(two, "two, edited")
        await it.delete_message(four)
    elif what == "files":
        await respond(Answer.MESSAGE_CREATE, "menu", attachment=hikari.Bytes(b"soup", "menu.txt"))
        files = [hikari.Bytes(b"a", "a.txt"), hikari.Bytes(b"b", "b.txt")]
        sent = await bot.rest.create_message(it.channel_id, "both", attachments=files)
        await sent.edit("kept one", attachments=[sent.attachments[0]])
    elif what == "layout":
        button = Button(style=PRIMARY, custom_id="press", label="Press")
        section = Section(accessory=button).add_text_display("A section")
        layout = Container().add_text_display("A layout").add_separator().add_component(section)
        await respond(Answer.MESSAGE_CREATE, component=layout, flags=hikari.MessageFlag.IS_COMPONENTS_V2)


@bot.listen()
async def on_component(event: hikari.ComponentInteractionCreateEvent) -> None:
    it = event.interaction
    if it.custom_id == "more":
        count = int(it.message.content.split()[1])
        await it.create_initial_response(Answer.MESSAGE_UPDATE, f"counter {count + 1}")
    elif it.custom_id == "later":
        await it.create_initial_response(Answer.DEFERRED_MESSAGE_UPDATE)
        await it.edit_initial_response("later")
    elif it.custom_id == "press":
        flags = hikari.MessageFlag.IS_COMPONENTS_V2
        await it.create_initial_response(
            Answer.MESSAGE_UPDATE, component=Text(content="pressed"), flags=flags
        )
    else:
        await it.create_initial_response(Answer.MESSAGE_CREATE, f"{it.custom_id}: {', '.join(it.values)}")


@bot.listen()
async def on_autocomplete(event: hikari.AutocompleteInteractionCreateEvent) -> None:
    current = str(event.interaction.options[0].value)
    await event.interaction.create_response([Choice(one, one) for one in DISHES if one.startswith(current)])


@bot.listen()
async def on_modal(event: hikari.ModalInteractionCreateEvent) -> None:
    why = event.interaction.components[0].components[0].value
    await event.interaction.create_initial_response(Answer.MESSAGE_CREATE, f"why: {why}")


@bot.listen()
async def on_message(event: hikari.MessageCreateEvent) -> None:
    message = event.message
    if not event.is_human:
        return
    word, _, rest = (message.content or "").partition(" ")
    if word in WORDS:
        await WORDS[word](message, rest)


@bot.listen(hikari.ReactionAddEvent)
@bot.listen(hikari.ReactionDeleteEvent)
async def on_reaction(event: hikari.ReactionAddEvent | hikari.ReactionDeleteEvent) -> None:
    verb = "added" if isinstance(event, hikari.ReactionAddEvent) else "removed"
    if event.user_id != bot.get_me().id:
        await bot.rest.create_message(event.channel_id, f"{event.user_id} {verb} {event.emoji_name}")


@bot.listen()
async def on_member(event: hikari.MemberUpdateEvent) -> None:
    channels = event.get_guild().get_channels().values()
    roles = sorted(role.name for role in event.member.get_roles() if role.name != "@everyone")
    channel = next(one for one in channels if one.name == "members")
    await bot.rest.create_message(channel, f"{event.member.username}: {', '.join(roles)}")


@bot.listen(hikari.MemberCreateEvent)
@bot.listen(hikari.MemberDeleteEvent)
async def on_coming_and_going(event: hikari.MemberCreateEvent | hikari.MemberDeleteEvent) -> None:
    verb = "joined" if isinstance(event, hikari.MemberCreateEvent) else "left"
    channels = bot.cache.get_guild_channels_view_for_guild(event.guild_id).values()
    channel = next(one for one in channels if one.name == "moderation")
    await bot.rest.create_message(channel, f"{event.user.username} {verb}")


@bot.listen()
async def on_voice(event: hikari.VoiceStateUpdateEvent) -> None:
    state = event.state
    if state.channel_id is not None and not state.member.is_bot:
        channels = bot.cache.get_guild_channels_view_for_guild(event.guild_id)
        channel = next(one for one in channels.values() if one.name == "voice")
        await bot.rest.create_message(
            channel, f"{state.member.username} in {channels[state.channel_id].name}"
        )


bot.run(check_for_updates=False)

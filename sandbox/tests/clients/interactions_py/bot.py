"""The bot of the matrix in interactions.py."""

import io
import json
import os

import aiohttp
import interactions
import interactions as it
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
# [sandbox]
interactions.api.http.route.Route.BASE = ready["api_base"]
token = ready["applications"][0]["token"]
# [/sandbox]
bot = it.Client(token=token, intents=it.Intents.ALL)

DISHES = ("bread", "salad", "soup")
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files", "layout")
Type = it.OptionType


def option(kind: Type, name: str, **more: object) -> it.SlashCommandOption:
    return it.SlashCommandOption(name=name, description=name, type=kind, required=True, **more)


def file(name: str, text: str) -> it.File:
    return it.File(io.BytesIO(text.encode()), file_name=name)


@it.slash_command("ping", description="Answer.")
async def ping(ctx: it.SlashContext) -> None:
    await ctx.send("pong")


NAMES = ("text", "count", "loud", "ratio", "who", "where", "role")
KINDS = (Type.STRING, Type.INTEGER, Type.BOOLEAN, Type.NUMBER, Type.USER, Type.CHANNEL, Type.ROLE)
OPTIONS = [option(kind, name) for kind, name in zip(KINDS, NAMES, strict=True)]


@it.slash_command("echo", description="Repeat the options.", options=OPTIONS)
async def echo(
    ctx: it.SlashContext,
    text: str,
    count: int,
    loud: bool,
    ratio: float,
    who: it.Member,
    where: it.GuildText,
    role: it.Role,
) -> None:
    plain = f"{text} {count} {str(loud).lower()} {ratio}"
    await ctx.send(f"{plain} {who.id} {where.id} {role.id}")


@it.slash_command("settings", description="Settings.", sub_cmd_name="show", sub_cmd_description="Show them.")
async def settings_show(ctx: it.SlashContext) -> None:
    await ctx.send("settings")


@it.slash_command(
    "settings",
    description="Settings.",
    group_name="limit",
    group_description="A limit.",
    sub_cmd_name="set",
    sub_cmd_description="Set it.",
    options=[option(Type.INTEGER, "value")],
)
async def limit_set(ctx: it.SlashContext, value: int) -> None:
    await ctx.send(f"limit {value}")


@it.slash_command(
    "find", description="Find a dish.", options=[option(Type.STRING, "dish", autocomplete=True)]
)
async def find(ctx: it.SlashContext, dish: str) -> None:
    await ctx.send(f"found {dish}")


@find.autocomplete("dish")
async def dishes(ctx: it.AutocompleteContext) -> None:
    await ctx.send(choices=[one for one in DISHES if one.startswith(ctx.input_text)])


@it.slash_command("upload", description="Read a file.", options=[option(Type.ATTACHMENT, "file")])
async def upload(ctx: it.SlashContext, file: it.Attachment) -> None:
    async with aiohttp.ClientSession() as http, http.get(file.url) as got:
        await ctx.send(f"{file.filename}: {await got.text()}")


@it.user_context_menu("Greet")
async def greet(ctx: it.ContextMenuContext) -> None:
    await ctx.send(f"hello {ctx.target.username}")


@it.message_context_menu("Quote")
async def quote(ctx: it.ContextMenuContext) -> None:
    await ctx.send(f"quoted: {ctx.target.content}")


WHO_AND_ROLE = [option(Type.USER, "who"), option(Type.ROLE, "role")]


@it.slash_command("member", description="Give a role, or take it.", options=WHO_AND_ROLE)
async def member(ctx: it.SlashContext, who: it.Member, role: it.Role) -> None:
    who = await ctx.guild.fetch_member(who.id, force=True)
    holds = who.has_role(role)
    await (who.remove_role(role) if holds else who.add_role(role))
    everyone = await bot.http.list_members(ctx.guild.id, limit=1000)
    did = f"took {role.name} from" if holds else f"gave {role.name} to"
    await ctx.send(f"{did} {who.username}, one of {len(everyone)}")


@it.slash_command("overwrite", description="Deny a role to write here.", options=[option(Type.ROLE, "role")])
async def overwrite(ctx: it.SlashContext, role: it.Role) -> None:
    channel = await bot.fetch_channel(ctx.channel_id, force=True)
    found = [one for one in channel.permission_overwrites if one.id == role.id]
    if found:
        await channel.delete_permission(found[0])
    else:
        denied = it.PermissionOverwrite.for_target(role)
        denied.add_denies(it.Permissions.SEND_MESSAGES)
        await channel.edit_permission(denied)
    await ctx.send("cleared" if found else "denied")


@it.slash_command(
    "show",
    description="Show one of the things that a bot answers with.",
    options=[option(Type.STRING, "what", choices=[it.SlashCommandChoice(one, one) for one in SHOWN])],
)
async def show(ctx: it.SlashContext, what: str) -> None:
    if what == "buttons":
        labels = ("More", "Later")
        buttons = [
            it.Button(style=it.ButtonStyle.PRIMARY, label=one, custom_id=one.lower()) for one in labels
        ]
        await ctx.send("counter 0", components=buttons)
    elif what == "selects":
        dish = it.StringSelectMenu("soup", "salad", "tea", custom_id="dish", max_values=2)
        who, which = it.UserSelectMenu(custom_id="who"), it.RoleSelectMenu(custom_id="which")
        rows = [[dish], [who], [which], [it.ChannelSelectMenu(custom_id="where")]]
        await ctx.send("choose", components=rows)
    elif what == "modal":
        why = it.ParagraphText(label="Why", custom_id="why")
        when = it.ShortText(label="When", custom_id="when", required=False)
        await ctx.send_modal(it.Modal(why, when, title="Reason", custom_id="reason"))
    elif what == "ephemeral":
        await ctx.send("only you", ephemeral=True)
    elif what == "deferral":
        await ctx.defer()
        await ctx.send("done")
    elif what == "followups":
        await ctx.send("one")
        two = await ctx.send("two")
        await ctx.send("three", ephemeral=True)
        four = await ctx.send("four")
        await ctx.edit(two, content="two, edited")
        await ctx.delete(four)
    elif what == "files":
        await ctx.send("menu", files=file("menu.txt", "soup"))
        sent = await ctx.channel.send("both", files=[file("a.txt", "a"), file("b.txt", "b")])
        await sent.edit(content="kept one", attachments=[sent.attachments[0]])
    elif what == "layout":
        button = it.Button(style=it.ButtonStyle.PRIMARY, label="Press", custom_id="press")
        section = it.SectionComponent(components=[it.TextDisplayComponent("A section")], accessory=button)
        layout = it.ContainerComponent(it.TextDisplayComponent("A layout"), it.SeparatorComponent(), section)
        await ctx.send(components=[layout])


@it.component_callback("more")
async def more(ctx: it.ComponentContext) -> None:
    count = int(ctx.message.content.split()[1])
    await ctx.edit_origin(content=f"counter {count + 1}")


@it.component_callback("later")
async def later(ctx: it.ComponentContext) -> None:
    await ctx.defer(edit_origin=True)
    await ctx.edit_origin(content="later")


@it.component_callback("press")
async def press(ctx: it.ComponentContext) -> None:
    await ctx.edit_origin(components=[it.TextDisplayComponent("pressed")])


@it.component_callback("dish", "who", "which", "where")
async def chosen(ctx: it.ComponentContext) -> None:
    values = [one if isinstance(one, str) else str(one.id) for one in ctx.values]
    await ctx.send(f"{ctx.custom_id}: {', '.join(values)}")


@it.modal_callback("reason")
async def reason(ctx: it.ModalContext, why: str, when: str) -> None:
    await ctx.send(f"why: {why}")


@it.listen(it.events.MessageCreate)
async def on_message(event: it.events.MessageCreate) -> None:
    message = event.message
    if message.author.bot:
        return
    word, _, rest = message.content.partition(" ")
    if word in WORDS:
        await WORDS[word](message, rest)


@it.listen(it.events.MessageReactionAdd)
async def on_reaction_add(event: it.events.MessageReactionAdd) -> None:
    if event.author.id != bot.user.id:
        await event.message.channel.send(f"{event.author.id} added {event.emoji.name}")


@it.listen(it.events.MessageReactionRemove)
async def on_reaction_remove(event: it.events.MessageReactionRemove) -> None:
    if event.author.id != bot.user.id:
        await event.message.channel.send(f"{event.author.id} removed {event.emoji.name}")


@it.listen(it.events.MemberUpdate)
async def on_member(event: it.events.MemberUpdate) -> None:
    channel = next(one for one in event.guild.channels if one.name == "members")
    roles = sorted(role.name for role in event.after.roles)
    await channel.send(f"{event.after.username}: {', '.join(roles)}")


@it.listen(it.events.MemberAdd)
async def on_member_join(event: it.events.MemberAdd) -> None:
    channel = next(one for one in event.guild.channels if one.name == "moderation")
    await channel.send(f"{event.member.username} joined")


@it.listen(it.events.MemberRemove)
async def on_member_leave(event: it.events.MemberRemove) -> None:
    channel = next(one for one in event.guild.channels if one.name == "moderation")
    await channel.send(f"{event.member.username} left")


@it.listen(it.events.VoiceUserJoin)
async def on_voice(event: it.events.VoiceUserJoin) -> None:
    if not event.author.bot:
        channel = next(one for one in event.author.guild.channels if one.name == "voice")
        await channel.send(f"{event.author.username} in {event.channel.name}")


bot.start()

"""The bot of the matrix in disnake."""

import io
import json
import os

import disnake
from disnake import ui
from disnake.ext import commands
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
# [sandbox]
disnake.http.Route.BASE = ready["api_base"]
token = ready["applications"][0]["token"]
# [/sandbox]
bot = commands.InteractionBot(intents=disnake.Intents.all(), heartbeat_timeout=8)

DISHES = ("bread", "salad", "soup")
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files", "layout")


def file(name: str, text: str, description: str | None = None) -> disnake.File:
    return disnake.File(io.BytesIO(text.encode()), name, description=description)


class Buttons(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.count = 0

    @ui.button(label="More", custom_id="more")
    async def more(self, _: ui.Button, inter: disnake.MessageInteraction) -> None:
        self.count += 1
        await inter.response.edit_message(content=f"counter {self.count}")

    @ui.button(label="Later", custom_id="later")
    async def later(self, _: ui.Button, inter: disnake.MessageInteraction) -> None:
        await inter.response.defer()
        await inter.edit_original_response(content="later")


class Selects(ui.View):
    @ui.string_select(custom_id="dish", options=["soup", "salad", "tea"], max_values=2)
    async def dish(self, select: ui.StringSelect, inter: disnake.MessageInteraction) -> None:
        await inter.response.send_message(f"dish: {', '.join(select.values)}")

    @ui.user_select(custom_id="who")
    async def who(self, select: ui.UserSelect, inter: disnake.MessageInteraction) -> None:
        await inter.response.send_message(f"who: {select.values[0].id}")

    @ui.role_select(custom_id="which")
    async def which(self, select: ui.RoleSelect, inter: disnake.MessageInteraction) -> None:
        await inter.response.send_message(f"which: {select.values[0].id}")

    @ui.channel_select(custom_id="where")
    async def where(self, select: ui.ChannelSelect, inter: disnake.MessageInteraction) -> None:
        await inter.response.send_message(f"where: {select.values[0].id}")


class Reason(ui.Modal):
    def __init__(self) -> None:
        why = ui.TextInput(label="Why", custom_id="why", style=disnake.TextInputStyle.paragraph)
        when = ui.TextInput(label="When", custom_id="when", required=False)
        super().__init__(title="Reason", components=[why, when])

    async def callback(self, inter: disnake.ModalInteraction) -> None:
        await inter.response.send_message(f"why: {inter.text_values['why']}")


@bot.event
async def on_button_click(inter: disnake.MessageInteraction) -> None:
    if inter.component.custom_id == "press":
        await inter.response.edit_message(components=[ui.TextDisplay("pressed")])


@bot.event
async def on_message(message: disnake.Message) -> None:
    if message.author.bot:
        return
    word, _, rest = message.content.partition(" ")
    if word in WORDS:
        await WORDS[word](message, rest)


@bot.event
async def on_raw_reaction_add(event: disnake.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} added {event.emoji}")


@bot.event
async def on_raw_reaction_remove(event: disnake.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} removed {event.emoji}")


@bot.event
async def on_member_update(_: disnake.Member, after: disnake.Member) -> None:
    channel = disnake.utils.get(after.guild.channels, name="members")
    roles = sorted(role.name for role in after.roles[1:])
    await channel.send(f"{after.name}: {', '.join(roles)}")


@bot.event
async def on_member_join(member: disnake.Member) -> None:
    channel = disnake.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} joined")


@bot.event
async def on_member_remove(member: disnake.Member) -> None:
    channel = disnake.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} left")


@bot.event
async def on_voice_state_update(
    member: disnake.Member, _: disnake.VoiceState, after: disnake.VoiceState
) -> None:
    if after.channel is not None and not member.bot:
        channel = disnake.utils.get(member.guild.text_channels, name="voice")
        await channel.send(f"{member.name} in {after.channel.name}")


@bot.slash_command(description="Answer.")
async def ping(inter: disnake.ApplicationCommandInteraction) -> None:
    await inter.response.send_message("pong")


@bot.slash_command(description="Repeat the options.")
async def echo(
    inter: disnake.ApplicationCommandInteraction,
    text: str,
    count: int,
    loud: bool,
    ratio: float,
    who: disnake.Member,
    where: disnake.TextChannel,
    role: disnake.Role,
) -> None:
    plain = f"{text} {count} {str(loud).lower()} {ratio}"
    await inter.response.send_message(f"{plain} {who.id} {where.id} {role.id}")


@bot.slash_command(description="Settings.")
async def settings(_: disnake.ApplicationCommandInteraction) -> None: ...


@settings.sub_command(name="show", description="Show them.")
async def settings_show(inter: disnake.ApplicationCommandInteraction) -> None:
    await inter.response.send_message("settings")


@settings.sub_command_group(name="limit")
async def limit(_: disnake.ApplicationCommandInteraction) -> None: ...


@limit.sub_command(name="set", description="Set it.")
async def limit_set(inter: disnake.ApplicationCommandInteraction, value: int) -> None:
    await inter.response.send_message(f"limit {value}")


async def dishes(_: disnake.ApplicationCommandInteraction, current: str) -> list[str]:
    return [one for one in DISHES if one.startswith(current)]


@bot.slash_command(description="Find a dish.")
async def find(
    inter: disnake.ApplicationCommandInteraction, dish: str = commands.Param(autocomplete=dishes)
) -> None:
    await inter.response.send_message(f"found {dish}")


@bot.user_command(name="Greet")
async def greet(inter: disnake.UserCommandInteraction) -> None:
    await inter.response.send_message(f"hello {inter.target.name}")


@bot.message_command(name="Quote")
async def quote(inter: disnake.MessageCommandInteraction) -> None:
    await inter.response.send_message(f"quoted: {inter.target.content}")


@bot.slash_command(description="Read a file.")
async def upload(inter: disnake.ApplicationCommandInteraction, file: disnake.Attachment) -> None:
    text = (await file.read()).decode()
    await inter.response.send_message(f"{file.filename}: {text}")


@bot.slash_command(description="Give a role, or take it.")
async def member(
    inter: disnake.ApplicationCommandInteraction, who: disnake.Member, role: disnake.Role
) -> None:
    who = await inter.guild.fetch_member(who.id)
    holds = role in who.roles
    await (who.remove_roles(role) if holds else who.add_roles(role))
    everyone = [one async for one in inter.guild.fetch_members(limit=None)]
    did = f"took {role.name} from" if holds else f"gave {role.name} to"
    await inter.response.send_message(f"{did} {who.name}, one of {len(everyone)}")


@bot.slash_command(description="Deny a role to write here, or allow it again.")
async def overwrite(inter: disnake.ApplicationCommandInteraction, role: disnake.Role) -> None:
    channel = await inter.guild.fetch_channel(inter.channel_id)
    denied = channel.overwrites_for(role).send_messages is False
    wanted = None if denied else disnake.PermissionOverwrite(send_messages=False)
    await channel.set_permissions(role, overwrite=wanted)
    await inter.response.send_message("cleared" if denied else "denied")


@bot.slash_command(description="Show one of the things that a bot answers with.")
async def show(
    inter: disnake.ApplicationCommandInteraction, what: str = commands.Param(choices=list(SHOWN))
) -> None:
    respond = inter.response
    if what == "buttons":
        await respond.send_message("counter 0", view=Buttons())
    elif what == "selects":
        await respond.send_message("choose", view=Selects(timeout=None))
    elif what == "modal":
        await respond.send_modal(Reason())
    elif what == "ephemeral":
        await respond.send_message("only you", ephemeral=True)
    elif what == "deferral":
        await respond.defer()
        await inter.edit_original_response(content="done")
    elif what == "followups":
        await respond.send_message("one")
        two = await inter.followup.send("two", wait=True)
        await inter.followup.send("three", ephemeral=True)
        four = await inter.followup.send("four", wait=True)
        await two.edit(content="two, edited")
        await four.delete()
    elif what == "files":
        await respond.send_message("menu", file=file("menu.txt", "soup"))
        sent = await inter.channel.send("both", files=[file("a.txt", "a", "the first"), file("b.txt", "b")])
        await sent.edit(content="kept one", attachments=[sent.attachments[0]])
    elif what == "layout":
        button = ui.Button(label="Press", custom_id="press")
        section = ui.Section(ui.TextDisplay("A section"), accessory=button)
        layout = ui.Container(ui.TextDisplay("A layout"), ui.Separator(), section)
        await respond.send_message(components=[layout])


bot.run(token)

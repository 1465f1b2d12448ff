"""The bot of the matrix in py-cord."""

import io
import json
import os

import discord
from discord import ui
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
# [sandbox]
discord.http.Route.API_BASE_URL = ready["api_base"]
token = ready["applications"][0]["token"]
# [/sandbox]
bot = discord.Bot(intents=discord.Intents.all(), heartbeat_timeout=8)

DISHES = ("bread", "salad", "soup")
OPTIONS = [discord.SelectOption(label=one) for one in ("soup", "salad", "tea")]
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files", "layout")


def file(name: str, text: str, description: str | None = None) -> discord.File:
    return discord.File(io.BytesIO(text.encode()), name, description=description)


class Buttons(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.count = 0

    @ui.button(label="More", custom_id="more")
    async def more(self, _: ui.Button, interaction: discord.Interaction) -> None:
        self.count += 1
        await interaction.response.edit_message(content=f"counter {self.count}")

    @ui.button(label="Later", custom_id="later")
    async def later(self, _: ui.Button, interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="later")


class Selects(ui.View):
    @ui.string_select(custom_id="dish", options=OPTIONS, max_values=2)
    async def dish(self, select: ui.Select, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"dish: {', '.join(select.values)}")

    @ui.user_select(custom_id="who")
    async def who(self, select: ui.Select, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"who: {select.values[0].id}")

    @ui.role_select(custom_id="which")
    async def which(self, select: ui.Select, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"which: {select.values[0].id}")

    @ui.channel_select(custom_id="where")
    async def where(self, select: ui.Select, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"where: {select.values[0].id}")


class Reason(ui.Modal):
    def __init__(self) -> None:
        why = ui.InputText(label="Why", custom_id="why", style=discord.InputTextStyle.long)
        when = ui.InputText(label="When", custom_id="when", required=False)
        super().__init__(why, when, title="Reason")

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"why: {self.children[0].value}")


class Press(ui.Button):
    async def callback(self, interaction: discord.Interaction) -> None:
        pressed = ui.DesignerView(ui.TextDisplay("pressed"), timeout=None)
        await interaction.response.edit_message(view=pressed)


@bot.event
async def on_message(message: discord.Message) -> None:
    if message.author.bot:
        return
    word, _, rest = message.content.partition(" ")
    if word in WORDS:
        await WORDS[word](message, rest)


@bot.event
async def on_raw_reaction_add(event: discord.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} added {event.emoji}")


@bot.event
async def on_raw_reaction_remove(event: discord.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} removed {event.emoji}")


@bot.event
async def on_member_update(_: discord.Member, after: discord.Member) -> None:
    channel = discord.utils.get(after.guild.channels, name="members")
    roles = sorted(role.name for role in after.roles[1:])
    await channel.send(f"{after.name}: {', '.join(roles)}")


@bot.event
async def on_member_join(member: discord.Member) -> None:
    channel = discord.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} joined")


@bot.event
async def on_member_remove(member: discord.Member) -> None:
    channel = discord.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} left")


@bot.event
async def on_voice_state_update(
    member: discord.Member, _: discord.VoiceState, after: discord.VoiceState
) -> None:
    if after.channel is not None and not member.bot:
        channel = discord.utils.get(member.guild.text_channels, name="voice")
        await channel.send(f"{member.name} in {after.channel.name}")


@bot.slash_command(description="Answer.")
async def ping(ctx: discord.ApplicationContext) -> None:
    await ctx.respond("pong")


@bot.slash_command(description="Repeat the options.")
async def echo(
    ctx: discord.ApplicationContext,
    text: str,
    count: int,
    loud: bool,
    ratio: float,
    who: discord.Member,
    where: discord.TextChannel,
    role: discord.Role,
) -> None:
    plain = f"{text} {count} {str(loud).lower()} {ratio}"
    await ctx.respond(f"{plain} {who.id} {where.id} {role.id}")


settings = bot.create_group("settings", "Settings.")
limit = settings.create_subgroup("limit", "A limit.")


@settings.command(name="show", description="Show them.")
async def settings_show(ctx: discord.ApplicationContext) -> None:
    await ctx.respond("settings")


@limit.command(name="set", description="Set it.")
async def limit_set(ctx: discord.ApplicationContext, value: int) -> None:
    await ctx.respond(f"limit {value}")


async def dishes(ctx: discord.AutocompleteContext) -> list[str]:
    return [one for one in DISHES if one.startswith(ctx.value)]


@bot.slash_command(description="Find a dish.")
@discord.option("dish", str, autocomplete=dishes)
async def find(ctx: discord.ApplicationContext, dish: str) -> None:
    await ctx.respond(f"found {dish}")


@bot.user_command(name="Greet")
async def greet(ctx: discord.ApplicationContext, who: discord.Member) -> None:
    await ctx.respond(f"hello {who.name}")


@bot.message_command(name="Quote")
async def quote(ctx: discord.ApplicationContext, message: discord.Message) -> None:
    await ctx.respond(f"quoted: {message.content}")


@bot.slash_command(description="Read a file.")
async def upload(ctx: discord.ApplicationContext, file: discord.Attachment) -> None:
    text = (await file.read()).decode()
    await ctx.respond(f"{file.filename}: {text}")


@bot.slash_command(description="Give a role, or take it.")
async def member(ctx: discord.ApplicationContext, who: discord.Member, role: discord.Role) -> None:
    who = await ctx.guild.fetch_member(who.id)
    holds = role in who.roles
    await (who.remove_roles(role) if holds else who.add_roles(role))
    everyone = [one async for one in ctx.guild.fetch_members(limit=None)]
    did = f"took {role.name} from" if holds else f"gave {role.name} to"
    await ctx.respond(f"{did} {who.name}, one of {len(everyone)}")


@bot.slash_command(description="Deny a role to write here, or allow it again.")
async def overwrite(ctx: discord.ApplicationContext, role: discord.Role) -> None:
    channel = await ctx.guild.fetch_channel(ctx.channel_id)
    denied = channel.overwrites_for(role).send_messages is False
    wanted = None if denied else discord.PermissionOverwrite(send_messages=False)
    await channel.set_permissions(role, overwrite=wanted)
    await ctx.respond("cleared" if denied else "denied")


@bot.slash_command(description="Show one of the things that a bot answers with.")
@discord.option("what", str, choices=list(SHOWN))
async def show(ctx: discord.ApplicationContext, what: str) -> None:
    if what == "buttons":
        await ctx.respond("counter 0", view=Buttons())
    elif what == "selects":
        await ctx.respond("choose", view=Selects(timeout=None))
    elif what == "modal":
        await ctx.send_modal(Reason())
    elif what == "ephemeral":
        await ctx.respond("only you", ephemeral=True)
    elif what == "deferral":
        await ctx.defer()
        await ctx.edit(content="done")
    elif what == "followups":
        await ctx.respond("one")
        two = await ctx.followup.send("two", wait=True)
        await ctx.followup.send("three", ephemeral=True)
        four = await ctx.followup.send("four", wait=True)
        await two.edit(content="two, edited")
        await four.delete()
    elif what == "files":
        await ctx.respond("menu", file=file("menu.txt", "soup"))
        sent = await ctx.channel.send("both", files=[file("a.txt", "a", "the first"), file("b.txt", "b")])
        await sent.edit(content="kept one", attachments=[sent.attachments[0]])
    elif what == "layout":
        section = ui.Section(ui.TextDisplay("A section"), accessory=Press(label="Press", custom_id="press"))
        layout = ui.Container(ui.TextDisplay("A layout"), ui.Separator(), section)
        await ctx.respond(view=ui.DesignerView(layout, timeout=None))


bot.run(token)

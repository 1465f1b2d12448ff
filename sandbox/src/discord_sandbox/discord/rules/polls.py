"""A poll in a message's body."""

from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.emoji import is_emoji
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.poll import Poll, PollAnswer

QUESTION, ANSWER, MOST_ANSWERS = 300, 55, 10
USUAL_HOURS, MOST_HOURS = 24, 768


def read(fields: Fields, palette: Palette) -> Poll | None:
    """Collects complaints; the caller checks them."""
    body = fields.object("poll")
    if body is None:
        return None
    question = body.object("question", required=True)
    text = question.text("text", QUESTION, shortest=1, required=True) if question is not None else None
    body.choice("layout_type", (1,))
    hours = body.number("duration", 1, MOST_HOURS, whole=False)  # clients send 24.0
    if hours is not None and hours != int(hours):
        body.complain("duration", "NUMBER_TYPE_COERCE", f'Value "{hours}" is not int.')
    answers = body.objects("answers", MOST_ANSWERS, least=1, required=True) or []
    return Poll(
        text or "",
        tuple(_answer(one, number, palette) for number, one in enumerate(answers, 1)),
        int(hours) if hours is not None else USUAL_HOURS,
        body.flag("allow_multiselect") is True,
    )


def _answer(body: Fields, number: int, palette: Palette) -> PollAnswer:
    media = body.object("poll_media", required=True)
    if media is None:
        return PollAnswer(number, "")
    emoji, name, emoji_id = media.object("emoji"), None, None
    if emoji is not None:
        name, given = emoji.text("name", 32), emoji.snowflake("id")
        custom = palette.known(str(given)) if given is not None else None
        if custom is not None:
            name, emoji_id = custom.name, custom.id
        elif given is not None or not name or not is_emoji(name):
            media.complain("emoji", "POLL_INVALID_EMOJI", "This is not an emoji.")
    text = media.text("text", ANSWER, shortest=1, required=True) or ""
    return PollAnswer(number, text, name, emoji_id)

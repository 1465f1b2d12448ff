"""Polls in Discord's JSON."""

from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.state.poll import Poll, PollAnswer


def poll(it: Poll, viewer: str = "") -> JSON:
    """`viewer`: the id of a user; their own votes are marked."""
    return {
        "question": {"text": it.question},
        "answers": [{"answer_id": one.id, "poll_media": _media(one)} for one in it.answers],
        "expiry": iso(it.expires),
        "allow_multiselect": it.multiple,
        "layout_type": 1,
        "results": {
            "is_finalized": it.finalized,
            "answer_counts": [
                {"id": one.id, "count": it.count(one.id), "me_voted": viewer in it.votes.get(one.id, [])}
                for one in it.answers
                if it.count(one.id)
            ],
        },
    }


def _media(it: PollAnswer) -> JSON:
    media: JSON = {"text": it.text}
    return media | {"emoji": {"id": it.emoji_id, "name": it.emoji}} if it.emoji is not None else media


def result(it: Poll) -> JSON:
    """The embed of the message that tells how a poll ended."""
    best = max(it.answers, key=lambda one: it.count(one.id))
    tie = sum(it.count(one.id) == it.count(best.id) for one in it.answers) > 1
    total = sum(it.count(one.id) for one in it.answers)
    fields = {
        "poll_question_text": it.question,
        "victor_answer_votes": str(it.count(best.id)),
        "total_votes": str(total),
    }
    if total and not tie:
        fields |= {"victor_answer_id": str(best.id), "victor_answer_text": best.text}
    return {
        "type": "poll_result",
        "fields": [{"name": name, "value": value, "inline": False} for name, value in fields.items()],
    }

"""Discord's refusals: status, code, message and the tree of field errors."""

from collections.abc import Iterable, Mapping
from typing import Any

_KNOWN: Mapping[int, tuple[int, str]] = {
    0: (404, "404: Not Found"),
    10002: (404, "Unknown Application"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10006: (404, "Unknown Invite"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10009: (404, "Unknown Overwrite"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10026: (404, "Unknown Ban"),
    10060: (404, "Unknown sticker"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    10065: (404, "Unknown Voice State"),
    10066: (404, "Unknown application command permissions"),
    10067: (404, "Unknown Stage Instance"),
    10070: (404, "Unknown Guild Scheduled Event"),
    10087: (404, "Unknown tag"),
    20001: (403, "Bots cannot use this endpoint"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30003: (400, "Maximum number of pins reached for the channel (250)"),
    30005: (400, "Maximum number of guild roles reached (250)"),
    30007: (400, "Maximum number of webhooks reached (15)"),
    30008: (400, "Maximum number of emojis reached (50)"),
    30010: (400, "Maximum number of reactions reached (20)"),
    30013: (400, "Maximum number of guild channels reached (500)"),
    30016: (400, "Maximum number of invites reached (1000)"),
    30018: (400, "Maximum number of animated emojis reached (50)"),
    30032: (400, "Maximum number of application commands reached (100)."),
    30034: (400, "Max number of daily application command creates has been reached (200)"),
    30038: (400, "Maximum number of uncompleted guild scheduled events reached (100)"),
    30046: (429, "Maximum number of edits to messages older than 1 hour reached. Try again later"),
    30052: (400, "Bitrate is too high for channel of this type"),
    40005: (413, "Request entity too large"),
    40032: (400, "Target user is not connected to voice."),
    40033: (400, "This message has already been crossposted."),
    40060: (400, "Interaction has already been acknowledged."),
    40061: (400, "Tag names must be unique"),
    40067: (400, "A tag is required to create a forum post in this channel"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50028: (400, "Invalid Role"),
    50033: (400, "Invalid Recipient(s)"),
    50034: (400, "You can only bulk delete messages that are under 14 days old."),
    50035: (400, "Invalid Form Body"),
    50041: (400, "Invalid API version provided"),
    50046: (400, "Invalid Asset"),
    50081: (400, "Invalid sticker sent"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    150006: (400, "The Stage is already open"),
    160004: (400, "A thread has already been created for this message"),
    160005: (403, "Thread is locked"),
    180000: (400, "Cannot update a finished event"),
    220001: (400, "Webhooks posted to forum channels must have a thread_name or thread_id"),
    220002: (400, "Webhooks posted to forum channels cannot have both a thread_name and thread_id"),
    220003: (400, "Webhooks can only create threads in forum channels"),
    520001: (400, "Poll expired"),
    520003: (400, "Cannot edit a poll message"),
    520006: (400, "Cannot expire a non-poll message"),
    500000: (400, "Failed to ban users"),
}

FieldErrors = dict[str, Any]


class DiscordError(Exception):
    """A refusal, as Discord answers it."""

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        status: int | None = None,
        errors: FieldErrors | None = None,
    ) -> None:
        known_status, known_message = _KNOWN.get(code, (400, "400: Bad Request"))
        self.code = code
        self.status = status if status is not None else known_status
        self.message = message if message is not None else known_message
        self.errors = errors
        super().__init__(f"{self.status} {code}: {self.message}")

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


class Complaints:
    """Collects every error of a body at its path, to refuse it once with all of them.

    `strict`: what Discord ignores is an error, too. Else its paths are in `ignored`, such as `data.colour`.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.tree: FieldErrors = {}
        self.ignored: list[str] = []
        self._strict = strict

    def add(self, path: Iterable[str | int], code: str, message: str) -> None:
        node = self.tree
        for part in path:
            node = node.setdefault(str(part), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def within(self, path: Iterable[str | int]) -> bool:
        """Whether anything at this path, or below it, is complained of already."""
        node = self.tree
        for part in path:
            if str(part) not in node:
                return False
            node = node[str(part)]
        return bool(node)

    def ignore(self, path: Iterable[str | int], code: str, message: str) -> None:
        """Note what Discord takes without a word and without an effect."""
        path = tuple(path)
        if self._strict:
            self.add(path, code, message)
        else:
            self.ignored.append(".".join(map(str, path)))

    def check(self) -> None:
        """Raise 50035 if anything was added."""
        if self.tree:
            raise DiscordError(50035, errors=self.tree)


def invalid(path: Iterable[str | int], code: str, message: str) -> DiscordError:
    """A 50035 with a single error."""
    complaints = Complaints()
    complaints.add(path, code, message)
    return DiscordError(50035, errors=complaints.tree)

"""One call of the JSON API: where it is, what it takes and answers."""

from typing import NamedTuple

from discord_sandbox.api.call import ApiHandler
from discord_sandbox.api.schema.arguments import Taking
from discord_sandbox.api.schema.fragments import JSON, OBJECT
from discord_sandbox.api.schema.requests import NOTHING


class Route(NamedTuple):
    """`does` is the line that `GET /sandbox/v1/` shows; `person`: a person acts, so refusals are logged.

    `takes` is the body, of GET and of DELETE by path the query; None: anything. `answers` is a schema, None for a
    stream of events.
    """

    method: str
    path: str
    handler: ApiHandler
    does: str
    takes: Taking | None = NOTHING
    answers: JSON | None = OBJECT
    status: int = 200
    person: bool = False

    @property
    def has_body(self) -> bool:
        return self.method not in ("GET", "DELETE") or (self.method == "DELETE" and "{" not in self.path)

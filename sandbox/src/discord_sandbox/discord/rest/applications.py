"""The application of a bot: read, changed, and its authorization."""

from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.application import application as render_application
from discord_sandbox.discord.rest.context import Context, Result
from discord_sandbox.discord.rest.endpoint import Endpoint
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import JSON, User
from discord_sandbox.discord.traffic.rate_limits import READS

DESCRIPTION, TAG, MOST_TAGS = 400, 20, 5
NOT_MODELLED = frozenset(
    {
        "icon",
        "cover_image",
        "team_id",
        "flags",
        "explicit_content_filter",
        "max_participants",
        "type",
        "custom_install_url",
        "install_params",
        "role_connections_verification_url",
        "integration_types_config",
        "event_webhooks_status",
        "event_webhooks_url",
        "event_webhooks_types",
    }
)


def _application(call: Context) -> JSON:
    place = next(iter(call.application.guilds.values()), None)
    known = call.core.state.users.get(place.owner_id) if place is not None else None
    owner = known or User(call.application.id[:-1] + "1", "owner", "Owner")
    return render_application(call.application, owner, len(call.application.guilds))


async def application(call: Context) -> Result:
    return _application(call)


async def by_id(call: Context) -> Result:
    call.own_application()
    return _application(call)


async def patch(call: Context) -> Result:
    """Change the description, tags and the endpoint for interactions, which must prove that it checks signatures."""
    found = call.application if "application" not in call.params else call.own_application()
    body = call.fields()
    description, tags = body.text("description", DESCRIPTION), _tags(body)
    url = body.text("interactions_endpoint_url", 2048)
    for key in NOT_MODELLED & body.body.keys():
        if body.body[key] is not None:
            body.complain(key, "UNSUPPORTED", f"The sandbox does not model {key}.")
    for key in ("tags", "event_webhooks_types"):
        if key in body.body and body.body[key] is None:
            body.complain(key, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
    body.complaints.check()
    if url:
        reason = await call.core.endpoints.refusal(found, url)
        if reason is not None:
            body.complain(
                "interactions_endpoint_url", "APPLICATION_INTERACTIONS_ENDPOINT_URL_INVALID", reason
            )
            body.complaints.check()
    found.description = found.description if description is None else description
    found.tags = found.tags if tags is None else tags
    if "interactions_endpoint_url" in body.body:
        found.endpoint_url = url or None
    call.core.feed.publish("session_update", found)
    return _application(call)


def _tags(body: Fields) -> list[str] | None:
    given = body.items("tags", MOST_TAGS)
    if given is None:
        return None
    for index, one in enumerate(given):
        if not isinstance(one, str) or not 1 <= len(one) <= TAG:
            path = (*body.path, "tags", index)
            body.complaints.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {TAG} in length.")
    return [str(one) for one in given]


async def authorization(call: Context) -> Result:
    body = _application(call)
    short = (
        "id",
        "name",
        "icon",
        "description",
        "bot_public",
        "bot_require_code_grant",
        "verify_key",
        "flags",
    )
    return {
        "application": {key: body[key] for key in (*short, "flags_new", "type")},
        "expires": "2099-01-01T00:00:00+00:00",
        "scopes": ["bot", "applications.commands"],
        "user": render.user(call.application.user),
    }


ENDPOINTS = (
    Endpoint("GET", "/oauth2/applications/@me", application, READS, body=False),
    Endpoint("GET", "/oauth2/@me", authorization, READS, body=False),
    Endpoint("GET", "/applications/@me", application, READS, body=False),
    Endpoint("PATCH", "/applications/@me", patch),
    Endpoint("GET", "/applications/{application}", by_id, READS, body=False),
    Endpoint("PATCH", "/applications/{application}", patch),
)

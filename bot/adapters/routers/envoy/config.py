"""Envoy's dynamic configuration, made from lanes and splits: listeners, clusters and one route table for all lanes.

One table, because every file that Envoy watches costs it an inotify instance, of which a user has 128. A listener
overwrites a header with its lane before routes are looked at, and the table has a virtual host for each lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bot.adapters.routers.envoy.loggers import LOOK_EVERY_MS, loggers
from bot.adapters.routers.envoy.names import (
    LANE_HEADER,
    ROUTES,
    cluster_name,
    lane_name,
    parse_cluster,
    parse_lane,
)
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, Share, Split

Json = dict[str, Any]

# How long a client may keep a connection without a request.
_KEEPALIVE_S = 60
_REQUEST_HEAD_KB = 60
# Silence in both directions after which a request is given up; longer than any release may take for its first byte.
_SILENCE_S = 300
_WEBSOCKET_SILENCE_S = 3600
# Large buffers would let an upload go on after its early answer, which then looks like a broken connection.
BUFFER_BYTES = 32 * 1024
# Of a body, kept until its release is connected to: more than comes in before it is.
_KEPT_BYTES = 4 * BUFFER_BYTES
# Other instances that a request is tried on while connections are refused.
_MOST_RETRIES = 3
# The judge's latest moment for a lane without latency limits.
_OVERDUE_S = 10.0

TYPE = "type.googleapis.com/envoy"


@dataclass(frozen=True, slots=True)
class EnvoyLimits:
    """Of one lane.

    connections: of clients at once. trusted_hops: proxies in front of Envoy that it believes. head_s: how long a client
    may take for the head of a request.
    """

    connections: int = 10_000
    trusted_hops: int = 0
    head_s: int = 10


@dataclass(frozen=True, slots=True)
class EnvoyListening:
    """A lane with the port that it has got. `series`: of its counts, which begin at zero with another one."""

    route: LaneRoute
    port: int
    series: str

    @property
    def overdue_s(self) -> float:
        return max(self.route.latency_limits_s, default=min(_OVERDUE_S, self.route.request_timeout_s))


_LISTENING = TypeAdapter(EnvoyListening)
_SPLIT = TypeAdapter(Split)
# Where the metadata of a resource has what it was made of.
_KEPT = "slipway"


# ---- listeners ------------------------------------------------------------------------------------------


def listeners(lanes: Mapping[Lane, EnvoyListening], limits: EnvoyLimits, routes_file: Path) -> list[Json]:
    return [_listener(lane, listening, limits, routes_file) for lane, listening in lanes.items()]


def _listener(lane: Lane, listening: EnvoyListening, limits: EnvoyLimits, routes_file: Path) -> Json:
    connection_limit = {
        "@type": f"{TYPE}.extensions.filters.network.connection_limit.v3.ConnectionLimit",
        "stat_prefix": "slipway",
        "max_connections": limits.connections,
    }
    manager = _connection_manager(lane, listening, limits, routes_file)
    return {
        "@type": f"{TYPE}.config.listener.v3.Listener",
        "name": lane_name(lane),
        "address": socket_address(listening.route.host, listening.port),
        "metadata": _kept(_LISTENING.dump_json(listening)),
        # Otherwise a second Envoy that was forgotten would silently take half of the connections.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [
            {
                "filters": [
                    {"name": "envoy.filters.network.connection_limit", "typed_config": connection_limit},
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]
            }
        ],
    }


def _connection_manager(
    lane: Lane, listening: EnvoyListening, limits: EnvoyLimits, routes_file: Path
) -> Json:
    route = listening.route
    silence_s = max(_SILENCE_S, 2 * route.request_timeout_s)
    return {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "slipway",
        "codec_type": "HTTP1",
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": lane.service},
        "common_http_protocol_options": {"idle_timeout": f"{_KEEPALIVE_S}s", "max_headers_count": 200},
        "max_request_headers_kb": _REQUEST_HEAD_KB,
        "request_headers_timeout": f"{limits.head_s}s",
        "stream_idle_timeout": f"{silence_s:g}s",
        "use_remote_address": True,
        "xff_num_trusted_hops": limits.trusted_hops,
        "internal_address_config": {"unix_sockets": False},
        # Only a sticky cookie needs an id, which its first request gets; making one is a tenth of a request's cost.
        "generate_request_id": route.sticky is not None and route.sticky.by == "cookie",
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "early_header_mutation_extensions": [_lane_header(lane)],
        "rds": {"route_config_name": ROUTES, "config_source": watched(routes_file)},
        "access_log": loggers(listening.series, route.latency_limits_s, listening.overdue_s),
        "access_log_options": {"access_log_flush_interval": f"{LOOK_EVERY_MS / 1000:g}s"},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }


def _lane_header(lane: Lane) -> Json:
    kind = "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    append = {
        "header": {"key": LANE_HEADER, "value": lane_name(lane)},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {"@type": f"{TYPE}.{kind}", "mutations": [{"append": append}]},
    }


def watched(file: Path) -> Json:
    """Discovery from a file that is replaced by renaming another one to it."""
    watch = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {"path_config_source": watch, "resource_api_version": "V3"}


def socket_address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


# ---- routes ---------------------------------------------------------------------------------------------


def route_table(lanes: Mapping[Lane, EnvoyListening], splits: Mapping[Lane, Split]) -> Json:
    return {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "vhost_header": LANE_HEADER,
        "request_headers_to_remove": [LANE_HEADER, "x-envoy-internal"],
        "virtual_hosts": [
            _virtual_host(lane, listening.route, splits.get(lane, _NOTHING))
            for lane, listening in lanes.items()
        ],
    }


def _virtual_host(lane: Lane, route: LaneRoute, split: Split) -> Json:
    # In a constant order, so that a growing share keeps everything that it had.
    shares = sorted((share for share in split.shares if share.weight), key=lambda share: share.digest)
    answer = _weighted(lane, route, shares) if shares else _UNAVAILABLE
    return {
        "name": lane_name(lane),
        "domains": [lane_name(lane)],
        "request_body_buffer_limit": _KEPT_BYTES,
        "metadata": _kept(_SPLIT.dump_json(split)),
        "routes": list(_routes(route, answer)),
    }


_NOTHING = Split(0, 0)
_UNAVAILABLE: Json = {
    "direct_response": {"status": 503, "body": {"inline_string": "No release of this service is running.\n"}}
}


def _kept(made_of: bytes) -> Json:
    """Metadata with what a resource was made of: what runs is read from Envoy, and from its files after a restart."""
    return {"filter_metadata": {_KEPT: {"made_of": made_of.decode()}}}


def parse_listener(resource: Json) -> tuple[Lane, EnvoyListening]:
    """Raises ValueError."""
    return parse_lane(resource["name"]), _LISTENING.validate_json(_made_of(resource))


def parse_virtual_host(resource: Json) -> tuple[Lane, Split, dict[str, int]]:
    """The lane, the split that its routes were made of, and the weights in them by digest. Raises ValueError."""
    last = resource["routes"][-1].get("route", {})
    weighted = last.get("weighted_clusters", {}).get("clusters", ())
    weights = {parse_cluster(cluster["name"])[1]: int(cluster["weight"]) for cluster in weighted}
    return parse_lane(resource["name"]), _SPLIT.validate_json(_made_of(resource)), weights


def _made_of(resource: Json) -> str:
    try:
        return str(resource["metadata"]["filter_metadata"][_KEPT]["made_of"])
    except KeyError:
        raise ValueError(f"{resource['name']} was not made by Slipway") from None


def _weighted(lane: Lane, route: LaneRoute, shares: list[Share]) -> Json:
    weighted: Json = {"clusters": [_target(lane, share) for share in shares]}
    if route.sticky is not None:
        weighted["use_hash_policy"] = True
    return {
        "weighted_clusters": weighted,
        # A stream has no time limit, its first byte has.
        "timeout": "0s",
        "retry_policy": {
            "per_try_timeout": f"{route.request_timeout_s:g}s",
            # Nothing of the request was sent then. What may have reached a release is never repeated.
            "retry_on": "connect-failure",
            "retry_back_off": {"base_interval": "0.001s"},
            "retry_host_predicate": [_ANOTHER_INSTANCE],
            "host_selection_retry_max_attempts": 5,
        },
    }


_ANOTHER_INSTANCE = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": f"{TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
}


def _target(lane: Lane, share: Share) -> Json:
    """A release with its weight. A connection that is refused is tried with its other instances, if it has some."""
    retries = max(0, min(len(share.backends) - 1, _MOST_RETRIES))
    return {
        "name": cluster_name(lane, share.digest),
        "weight": share.weight,
        "request_headers_to_add": [
            {
                "header": {"key": "x-envoy-max-retries", "value": str(retries)},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }


def _routes(route: LaneRoute, answer: Json) -> Iterable[Json]:
    """Routes of one lane: WebSockets may be silent for longer; clients without the sticky cookie get one."""
    for match, silence in (
        ({"headers": [_IS_WEBSOCKET]}, {"idle_timeout": f"{_WEBSOCKET_SILENCE_S}s"}),
        ({}, {}),
    ):
        yield from _sticky_routes(route, answer, match, silence)


_IS_WEBSOCKET: Json = {"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}


def _sticky_routes(route: LaneRoute, answer: Json, match: Json, silence: Json) -> Iterable[Json]:
    here = {"prefix": "/", **match}
    if "direct_response" in answer:
        if not match:
            yield {"match": here, **answer}
        return
    sticky = route.sticky
    if sticky is None:
        yield {"match": here, "route": {**answer, **silence}}
        return
    if sticky.by == "header":
        hashed = {"hash_policy": [{"header": {"header_name": sticky.name}}]}
        yield {"match": here, "route": {**answer, **silence, **hashed}}
        return
    cookie = {"hash_policy": [{"cookie": {"name": sticky.name}}]}
    has_cookie = {"name": "cookie", "string_match": {"safe_regex": {"regex": _cookie_pattern(sticky.name)}}}
    headers = [*match.get("headers", ()), has_cookie]
    yield {"match": {**here, "headers": headers}, "route": {**answer, **silence, **cookie}}
    first = {"hash_policy": [{"header": {"header_name": "x-request-id"}}]}
    value = f"{sticky.name}=%REQ(X-REQUEST-ID)%; Path=/; HttpOnly; SameSite=Lax"
    yield {
        "match": here,
        "route": {**answer, **silence, **first},
        "response_headers_to_add": [
            {"header": {"key": "set-cookie", "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
        ],
    }


def _cookie_pattern(name: str) -> str:
    plain = "".join(char if char.isalnum() or char in "-_" else f"\\{char}" for char in name)
    return rf"(.*;\s*)?{plain}=[^;\s].*"

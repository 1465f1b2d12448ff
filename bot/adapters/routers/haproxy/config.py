"""Configuration file of one lane's HAProxy: everything that a weight or another release does not change."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from pydantic import TypeAdapter

from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import LaneRoute, Stickiness
from bot.ports.errors import TargetRefused

SLOTS = 12
# Slots of releases: whole requests, which are evidence, and all others. `%[...]` of the configuration makes the names.
EVIDENCE, OTHER = "plain", "other"
BACKENDS = tuple(f"{kind}{slot}" for slot in range(SLOTS) for kind in (EVIDENCE, OTHER))

SOCKET, MAP, FILE = "runtime.sock", "split.map", "haproxy.cfg"
# Tells which lane and which route a running HAProxy was started for.
RUNS = "SLIPWAY_RUNS"

# Elements of the counters (`gpc`) of a release. From `WAITS` on one for each interval of the histogram.
ANSWERED, ANSWERED_BAD, FAILED, GAVE_UP, WAITS = range(5)
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# How exactly the age of a request in flight is known.
LOOK_MS = 100

_KEEPALIVE_S = 60
_SILENCE_S = 300
_WEBSOCKET_SILENCE_S = 3600
_CONNECT_S = 2
# Instances that a request is tried on besides the first, while it cannot connect.
_RETRIES = 3
# Options of a server. HAProxy has no time limit for a connection that waits for its next request, but a pause after
# which it closes half of those that it had no use for. With this one, 1,000 are closed within 1.5 s, before servers do
# (gunicorn: after 2 s): so no request is written into a connection that is being closed. To a server that was
# added at run time, HAProxy 2.6 keeps no connection unless both options are there.
KEPT = "pool-max-conn -1 pool-purge-delay 100ms"
NOT_KEPT = "pool-max-conn 0"
# How long a client may take for a body that fits into the buffer.
_BODY_S = 120
# Heads and bodies below these fill the buffer in no case, so that such a body was received to its end.
_BUFFER_BYTES = 65_536
_REWRITE_BYTES = 4_096
REQUEST_HEAD_BYTES = 32_768
WHOLE_BYTES = 24_000
_REQUEST_HEADERS = 100
_RESPONSE_HEADERS = 1000
# The judge's latest moment for a lane without latency limits.
_OVERDUE_S = 10.0

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class HaproxyLimits:
    """Of one lane.

    connections: of clients at once. trusted_hops: proxies in front of HAProxy that it believes. head_s: how long a
    client may take for the head of a request. open_files: of the process; two for each connection. keep_connections:
    to releases, for further requests.
    """

    connections: int = 4_000
    trusted_hops: int = 0
    head_s: int = 10
    open_files: int = 1024
    keep_connections: bool = True

    @property
    def server_options(self) -> str:
        return KEPT if self.keep_connections else NOT_KEPT


@dataclass(frozen=True, slots=True)
class HaproxyListening:
    """A lane, and how users reach it. `route`: with the port that the lane has got, also where any would do."""

    lane: Lane
    route: LaneRoute

    @property
    def overdue_s(self) -> float:
        return max(self.route.latency_limits_s, default=min(_OVERDUE_S, self.route.request_timeout_s))

    @property
    def bounds_us(self) -> tuple[int, ...]:
        """Upper bounds of the histogram (microseconds), rising; every limit of the lane is one of them."""
        return tuple(
            sorted({round(bound * 1_000_000) for bound in (*BOUNDS_S, *self.route.latency_limits_s)})
        )


_LISTENING = TypeAdapter(HaproxyListening)


def runs(listening: HaproxyListening) -> str:
    """`listening` in characters that need no quoting anywhere."""
    return _LISTENING.dump_json(listening).hex()


def parse_runs(text: str) -> HaproxyListening:
    """Raises ValueError."""
    return _LISTENING.validate_json(bytes.fromhex(text))


def written_for(text: str) -> HaproxyListening:
    """What a configuration file was made for. Raises ValueError."""
    found = re.search(rf"setenv {RUNS} ([0-9a-f]+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError("this configuration was not made by Slipway")
    return parse_runs(found[1])


def release_key(digest: str) -> str:
    """By what HAProxy knows a release."""
    return blake2b(digest.encode(), digest_size=8).hexdigest()


def configuration(
    listening: HaproxyListening, limits: HaproxyLimits, servers: Mapping[str, Iterable[tuple[str, str]]]
) -> str:
    """The file's text. `servers`: name and address of each, by backend. Raises `TargetRefused`."""
    blocks = [
        _global(listening, limits),
        _defaults(listening, limits),
        _tables(listening),
        _frontend(listening, limits),
    ]
    for backend in BACKENDS:
        blocks.append(
            [
                f"backend {backend}",
                # A stream of events may be silent for longer than a release may take for its answer.
                f"http-request set-timeout server {_SILENCE_S}s if {{ req.hdr(Accept) -m sub text/event-stream }}",
                *(f"server {name} {at}" for name, at in servers.get(backend, ())),
            ]
        )
    return "\n".join("\n    ".join(block) + "\n" for block in blocks)


def without_servers(text: str) -> str:
    """The part of a configuration that only another start of HAProxy can change."""
    return re.sub(r"^    server .*\n", "", text, flags=re.MULTILINE)


def connections(limits: HaproxyLimits) -> int:
    """Connections that leave HAProxy the descriptors that it needs itself."""
    return max(4, min(limits.connections, (limits.open_files - _OWN_FILES) // 2))


_OWN_FILES = 60


def _global(listening: HaproxyListening, limits: HaproxyLimits) -> list[str]:
    return [
        "global",
        # One thread: rows of counters are then consistent in themselves.
        "nbthread 1",
        f"maxconn {connections(limits)}",
        f"fd-hard-limit {limits.open_files}",
        # Otherwise a second HAProxy that was forgotten would silently take half of the connections.
        "noreuseport",
        f"stats socket unix@{SOCKET} mode 600 level admin expose-fd listeners",
        "stats timeout 10s",
        "hard-stop-after 1h",
        f"tune.bufsize {_BUFFER_BYTES}",
        f"tune.maxrewrite {_REWRITE_BYTES}",
        f"tune.http.maxhdr {_RESPONSE_HEADERS}",
        f"setenv {RUNS} {runs(listening)}",
    ]


def _defaults(listening: HaproxyListening, limits: HaproxyLimits) -> list[str]:
    return [
        "defaults",
        "mode http",
        f"timeout http-request {limits.head_s}s",
        f"timeout http-keep-alive {_KEEPALIVE_S}s",
        f"timeout client {_SILENCE_S}s",
        f"timeout connect {_CONNECT_S}s",
        f"timeout server {max(1, round(listening.route.request_timeout_s * 1000))}ms",
        f"timeout tunnel {_WEBSOCKET_SILENCE_S}s",
        # With another instance, when nothing of a request was sent. What may have reached a release is not repeated.
        f"retries {_RETRIES}",
        "retry-on conn-failure",
        "option redispatch 1",
        *_reuse(limits),
        # A client that left is no reason to wait for the release, nor to blame it.
        "option abortonclose",
        "balance roundrobin",
    ]


def _reuse(limits: HaproxyLimits) -> list[str]:
    if not limits.keep_connections:
        return ["http-reuse never", "option http-server-close"]
    # The first request of a client gets a connection of its own. Of a later one, clients know that it may get lost with
    # the connection, and ask again.
    return ["http-reuse safe", "option http-keep-alive"]


def _tables(listening: HaproxyListening) -> list[str]:
    """Stick tables and the ring. Each table needs a proxy of its own."""
    counters = WAITS + len(listening.bounds_us)
    string = "stick-table type string len 64"
    return [
        "ring ends",
        "format raw",
        "maxlen 256",
        "size 1048576",
        "\nbackend releases",
        f"{string} size 10k store conn_cur,gpc({counters})",
        "\nbackend waiting",
        f"{string} size 100k expire 10s store conn_cur",
        "\nbackend answered",
        f"{string} size 100k expire 10s store conn_cur",
        "\nbackend found",
        f"{string} size 10k store gpc0,gpc1,gpt0",
    ]


# ---- requests -------------------------------------------------------------------------------------------

_JUDGED = "{ var(txn.kind) -m str plain upgrade }"
_ENDED = "{ var(txn.ended) -m found }"
_AGE = "date(0,us),sub(txn.begun)"


def _frontend(listening: HaproxyListening, limits: HaproxyLimits) -> list[str]:
    route = listening.route
    return [
        "frontend users",
        f"bind {address(route.host, listening.route.port)} proto h1",
        f"maxconn {connections(limits)}",
        # Only requests that ended in some unusual way.
        "log ring@ends format raw daemon",
        "option dontlog-normal",
        f'log-format "%rt %b %[var(txn.release)] %[var(txn.kind)] %[var(txn.ended)] %ts %ST %[{_AGE}] %s"',
        "option forwardfor",
        *_received(limits),
        *_placed(route.sticky),
        *_routed(),
        *_answered(listening, route.sticky),
        *_unanswered(listening),
    ]


def _received(limits: HaproxyLimits) -> Iterator[str]:
    """What is refused, what is believed, and waiting until a body is there that fits into the buffer."""
    # The ring must not be flooded by requests that it is not read for.
    yield "http-request set-log-level silent"
    yield "http-request deny deny_status 405 if METH_CONNECT"
    yield "http-request deny deny_status 400 unless { path -m beg / }"
    yield f"http-request deny deny_status 400 if {{ req.hdrs,length gt {REQUEST_HEAD_BYTES} }}"
    yield f"http-request deny deny_status 400 if {{ req.hdr_cnt gt {_REQUEST_HEADERS} }}"
    if not limits.trusted_hops:
        yield "http-request set-header X-Forwarded-Proto http"
    # A release may have been behind another router of Slipway's, and believe its headers.
    yield "http-request del-header x-slipway-lane"
    yield "http-request del-header x-envoy-internal"
    # A release might believe it, and HAProxy would not let it answer.
    yield "http-request del-header Upgrade unless { req.hdr(Connection) -i -m str upgrade }"
    yield "http-request set-var(txn.expects) bool(true) if { req.hdr(Expect) -m found }"
    yield f"http-request wait-for-body time {_BODY_S}s"


def _placed(sticky: Stickiness | None) -> Iterator[str]:
    """A number below 100 for each request: the same for the same user where the lane is sticky."""
    if sticky is None:
        yield "http-request set-var(txn.number) rand(100)"
        return
    if not _NAME.fullmatch(sticky.name):
        raise TargetRefused(f"HAProxy cannot use {sticky.name!r} as the name of a {sticky.by}.")
    if sticky.by == "header":
        yield f"http-request set-var(txn.user) req.fhdr({sticky.name})"
    else:
        yield f"http-request set-var(txn.user) req.cook({sticky.name})"
        yield "http-request set-var(txn.new) bool(true) unless { var(txn.user) -m len gt 0 }"
        yield "http-request set-var(txn.user) uuid() if { var(txn.new) -m found }"
    yield "http-request set-var(txn.number) rand(100)"
    yield "http-request set-var(txn.number) var(txn.user),xxh32,mod(100) if { var(txn.user) -m len gt 0 }"


def _routed() -> Iterator[str]:
    """The release of a request, and what may be said about it.

    The map has the slot and the key of a release for each number. A `plain` request was received to its end. What was
    not is an `upload`, and no evidence; nor is a request to which HAProxy itself said 100 Continue on a connection that
    had others before, since it may then blame a release for a client that left.
    """
    yield f"http-request set-var(txn.place) var(txn.number),map_str({MAP})"
    yield (
        "http-request return status 503 content-type text/plain"
        ' string "No release of this service is running.\\n" unless { var(txn.place) -m found }'
    )
    yield "http-request set-var(txn.release) var(txn.place),field(2,' ')"
    yield "http-request track-sc0 var(txn.release) table releases"
    yield "http-request set-var(txn.kind) str(upload)"
    yield f"http-request set-var(txn.kind) str(plain) if {{ req.body_len lt {WHOLE_BYTES} }}"
    yield "http-request set-var(txn.kind) str(upload) if { var(txn.expects) -m found } !{ http_first_req }"
    yield "http-request set-var(txn.kind) str(upgrade) if { req.hdr(Upgrade) -m found } { var(txn.kind) -m str plain }"
    yield "http-request set-var(txn.begun) date(0,us)"
    yield f"http-request allow unless {_JUDGED}"
    yield f"http-request set-var(txn.look) date(0,ms),div({LOOK_MS}),concat(/,txn.release)"
    yield "http-request track-sc1 var(txn.look) table waiting"
    yield "http-request set-log-level info"
    slot = "%[var(txn.place),field(1,' ')]"
    yield f"use_backend {EVIDENCE}{slot} if {{ var(txn.kind) -m str plain }}"
    yield f"use_backend {OTHER}{slot}"


def _answered(listening: HaproxyListening, sticky: Stickiness | None) -> Iterator[str]:
    """Answers of releases. No client has any part in when they come, since the request was complete.

    `allow` ends the rules of a response: for the common one, most intervals of the histogram are not looked at.
    """
    if sticky is not None and sticky.by == "cookie":
        value = f"{sticky.name}=%[var(txn.user)]; Path=/; HttpOnly; SameSite=Lax"
        yield f'http-response add-header Set-Cookie "{value}" if {{ var(txn.new) -m found }}'
    yield "http-response set-var(txn.ended) str(answered)"
    yield f"http-response allow unless {_JUDGED}"
    yield "http-response track-sc2 var(txn.look) table answered"
    yield f"http-response sc-inc-gpc({ANSWERED},0)"
    yield f"http-response sc-inc-gpc({ANSWERED_BAD},0) if {{ status ge 500 }}"
    yield f"http-response set-var(txn.took) {_AGE}"
    for place, bound in enumerate(listening.bounds_us):
        within = f"if {{ var(txn.took) -m int lt {bound} }}"
        yield f"http-response sc-inc-gpc({WAITS + place},0) {within}"
        yield f"http-response allow {within}"


def _unanswered(listening: HaproxyListening) -> Iterator[str]:
    """Answers of HAProxy's own: of a release that failed, or to a client that left (400, 499 in later versions)."""
    overdue_us = round(listening.overdue_s * 1_000_000)
    count = "http-after-response set-var(txn.counted)"
    yield f"http-after-response allow unless {_JUDGED} !{_ENDED}"
    # HAProxy refuses handshakes that a client has got wrong only when the release has accepted them.
    failed = "http-after-response set-var(txn.failed) bool(true) if"
    yield f"{failed} {{ status ge 500 }} !{{ status 502 }}"
    yield f"{failed} {{ status 502 }} {{ var(txn.kind) -m str plain }}"
    yield f"{count} sc_inc_gpc({FAILED},0) if {{ var(txn.failed) -m found }}"
    yield "http-after-response set-var(txn.ended) str(failed) if { var(txn.failed) -m found }"
    yield f"http-after-response allow if {_ENDED}"
    yield f"http-after-response set-var(txn.took) {_AGE}"
    yield f"{count} sc_inc_gpc({GAVE_UP},0) if {{ var(txn.took) -m int ge {overdue_us} }}"
    yield "http-after-response set-var(txn.ended) str(left)"


def address(host: str, port: int) -> str:
    try:
        return f"[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"{host}:{port}"
    except ValueError:
        return f"{host}:{port}"

"""Names that Envoy knows lanes and releases by. Their characters are safe in headers, domains and statistics."""

from __future__ import annotations

import re

from bot.domain.rollout.model import Lane

# Of the route table and of the statistics of all lanes' connection managers.
ROUTES = "slipway"
# Of everything that the access loggers count.
COUNTS = "slipway"
# Of what they count for each instance by itself.
EACH = "each"
# Tells the route table which lane a request came in on; each listener overwrites it.
LANE_HEADER = "x-slipway-lane"

_ODD = re.compile(r"[^a-z0-9_-]")
_ESCAPED = re.compile(r"~([0-9a-f]+)~")


def lane_name(lane: Lane) -> str:
    return f"{_escaped(lane.service)}/{_escaped(lane.environment)}"


def cluster_name(lane: Lane, digest: str) -> str:
    return f"{lane_name(lane)}/{_escaped(digest)}"


def parse_lane(name: str) -> Lane:
    """The lane of a name that `lane_name` made. Raises ValueError."""
    service, environment = map(_plain, name.split("/"))
    return Lane(service, environment)


def parse_cluster(name: str) -> tuple[Lane, str]:
    """Lane and digest of a name that `cluster_name` made. Raises ValueError."""
    lane, _, digest = name.rpartition("/")
    return parse_lane(lane), _plain(digest)


def _escaped(text: str) -> str:
    return _ODD.sub(lambda found: f"~{ord(found[0]):x}~", text)


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)

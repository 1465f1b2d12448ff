"""Envoy's own configuration: admin interface, where it finds the rest, and which statistics it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.adapters.routers.envoy.config import watched
from bot.adapters.routers.envoy.files import CLUSTERS, LISTENERS, place
from bot.adapters.routers.envoy.names import COUNTS

Json = dict[str, Any]

# What Slipway reads. Nothing that changes something can be asked for.
_READABLE = ["/ready", "/server_info", "/stats", "/config_dump", "/listeners"]
_STATISTICS = [
    f"{COUNTS}.",
    "cluster_manager.cds.",
    "listener_manager.lds.",
    "listener_manager.listener_",
    f"http.slipway.rds.{COUNTS}.",
    "server.live",
]
# Milliseconds. A bound at 249 counts requests below 250: Envoy's histograms have two significant digits. Each is less
# than twice the one before, so that the judge can see a doubled latency.
BOUNDS_MS = (
    *(2, 3, 5, 7, 10, 15, 25, 35, 50, 75, 100, 150, 250, 350, 500, 750),
    *(1000, 1500, 2500, 3500, 5000, 7500, 10000),
)


def bootstrap(node: str, admin: str, discovery: Path) -> str:
    """Configuration file of an Envoy of Slipway's own.

    node: a name that no other start of it has. admin: where it makes its Unix socket. discovery: the folder of the
    discovery files (`DiscoveryFiles`).
    """
    return json.dumps(
        {
            "node": {"id": node, "cluster": "slipway"},
            "admin": {
                "address": {"pipe": {"path": admin, "mode": 0o600}},
                "allow_paths": [{"prefix": path} for path in _READABLE],
            },
            "dynamic_resources": {
                "lds_config": watched(place(discovery, LISTENERS)),
                "cds_config": watched(place(discovery, CLUSTERS)),
            },
            "stats_flush_interval": "1s",
            "stats_config": {
                "stats_matcher": {
                    "inclusion_list": {
                        "patterns": [
                            *({"prefix": prefix} for prefix in _STATISTICS),
                            {"safe_regex": {"regex": r"cluster\..*\.upstream_rq_active"}},
                        ]
                    }
                },
                "histogram_bucket_settings": [
                    {"match": {"prefix": f"{COUNTS}."}, "buckets": [bound - 1 for bound in BOUNDS_MS]}
                ],
            },
        },
        indent=1,
    )

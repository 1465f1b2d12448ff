"""Clusters of Envoy's configuration: one for each release, with its instances."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from bot.adapters.routers.envoy.config import BUFFER_BYTES, TYPE, socket_address
from bot.adapters.routers.envoy.names import cluster_name
from bot.domain.rollout.model import Lane
from bot.ports.data_plane.routers import Backend, Share, Split

Json = dict[str, Any]

# Below what servers commonly allow (gunicorn closes idle connections after 2 s): a request must not be written into a
# connection that is being closed.
_IDLE_TO_RELEASE_S = 1.5
_CONNECT_S = 2
# More than the head of a request: a client must not be able to make its own response too large.
_RESPONSE_HEAD_KB = 512
_NO_LIMIT = 1_000_000
# An instance that cannot be connected to this often in a row is left out for a while.
_FAILED_CONNECTS = 5
_LEFT_OUT_S = 5

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(splits: Iterable[tuple[Lane, Split]]) -> list[Json]:
    """A cluster for each release of the splits; later splits win."""
    found = {
        cluster_name(lane, share.digest): cluster(cluster_name(lane, share.digest), share)
        for lane, split in splits
        for share in split.shares
    }
    return list(found.values())


def cluster(name: str, share: Share) -> Json:
    numeric = all(map(_is_ip, share.backends))
    breakers = {
        f"max_{what}": _NO_LIMIT for what in ("connections", "pending_requests", "requests", "retries")
    }
    idle = {"idle_timeout": f"{_IDLE_TO_RELEASE_S}s", "max_response_headers_kb": _RESPONSE_HEAD_KB}
    return {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC" if numeric else "STRICT_DNS",
        "connect_timeout": f"{_CONNECT_S}s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        # Clients of one lane are limited at its listener; a full breaker would count as a fault of the release.
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **breakers}]},
        **_left_out(share),
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {**idle, "max_headers_count": 1000},
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": socket_address(backend.host, backend.port),
                                "hostname": backend.name,
                            }
                        }
                        for backend in share.backends
                    ]
                }
            ],
        },
    }


def _left_out(share: Share) -> Json:
    """Leave out instances on machines that do not answer: each request to one would wait for the connect timeout.

    Never more than half of them, since a release that resets connections counts as one that cannot be connected to.
    """
    if len(share.backends) < 2:
        return {}
    others = ("consecutive_5xx", "consecutive_gateway_failure", "success_rate", "local_origin_success_rate")
    return {
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": _FAILED_CONNECTS,
            "enforcing_consecutive_local_origin_failure": 100,
            **{f"enforcing_{kind}": 0 for kind in others},
            "interval": "1s",
            "base_ejection_time": f"{_LEFT_OUT_S}s",
            "max_ejection_percent": 50,
        }
    }


def _is_ip(backend: Backend) -> bool:
    try:
        ipaddress.ip_address(backend.host)
    except ValueError:
        return False
    return True

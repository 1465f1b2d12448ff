"""Access loggers that count requests per release in a way that no client can influence.

They run when a request ends, when its client can change nothing any more, and look only at requests that were received
to the last byte: what a client did not finish, no release can answer. Every counter is tagged with the cluster (the
release), those that tell instances apart also with the address. Conditions that Envoy's filters cannot express
(received in full; answered within N ms) are regular expressions on a tag that the rule then drops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bot.adapters.routers.envoy.names import COUNTS, EACH

Json = dict[str, Any]

# How often Envoy looks at requests in flight, and how far a look may be from its time to be recognized by it: two looks
# at the same request must never fall into one span.
LOOK_EVERY_MS = 500
_EARLY_MS, _LATE_MS = 50, 350
# Requests that took longer to arrive are not looked at for being overdue: their timing says nothing yet.
_ARRIVED_WITHIN_MS = 400

# Response flags of a release that refused, reset, broke the protocol, timed out, or has no instance.
_RELEASE_FAILED = ["UC", "UPE", "UF", "UT", "UR", "UH"]

_STATS = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
_TAG_INPUT = "type.googleapis.com/envoy.extensions.matching.common_inputs.stats.v3.StatTagValueInput"
_TRANSFORM = "type.googleapis.com/envoy.extensions.matching.actions.transform_stat.v3.TransformStat"

_RELEASE_TAG = {"name": "release", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
# Address of the instance that a request came to; where it was refused, of the last that was tried.
_INSTANCE_TAG = {"name": "instance", "value_format": "%UPSTREAM_HOST%"}
# Milliseconds; `-` for a request that was not received in full.
_ARRIVAL = "%COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)%"
# From the request's last byte to the response's first; `-` when one of them never came, or in the other order.
_WAIT = "%COMMON_DURATION(DS_RX_END:US_RX_BEG:ms)%"
# The same for a handshake, which has no last byte.
_HANDSHAKE = "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)%"


def overdue_after_ms(limit_s: float) -> int:
    """Age (ms) of the look at which a request that arrived quickly has surely waited longer than `limit_s`."""
    looks = math.ceil((limit_s * 1000 + _ARRIVED_WITHIN_MS + _EARLY_MS) / LOOK_EVERY_MS)
    return looks * LOOK_EVERY_MS


def loggers(series: str, limits_s: Sequence[float], overdue_s: float) -> list[Json]:
    """Loggers of one lane: `total`, `bad`, `within` each limit, the histogram `wait`, and `overdue`.

    series: part of the names of what they count. Loggers of one series go on where the ones before them stopped.
    """
    age = overdue_after_ms(overdue_s)
    ended = _at("DownstreamEnd")
    # Envoy's own 100 Continue is a status, and not yet a response.
    answered, waiting = _status("GE", 200), _status("LE", 199)
    plain, websocket = _websocket(False), _websocket(True)
    failed = _either(_status("GE", 500), {"response_flag_filter": {"flags": _RELEASE_FAILED}})
    received, promptly = _if(_ARRIVAL, "[0-9]+"), _if(_ARRIVAL, up_to(_ARRIVED_WITHIN_MS))
    kinds = [
        _logger(
            _all(ended, answered, plain),
            counters=[*_counters("total", received), *_within(limits_s, _WAIT)],
            histograms=[_histogram("wait", _WAIT)],
        ),
        _logger(_all(ended, answered, plain, failed), counters=_counters("bad", received)),
        # A handshake is complete with its headers; its connection ends as its users please.
        _logger(
            _all(ended, _status("GE", 101), websocket),
            counters=[*_counters("total"), *_within(limits_s, _HANDSHAKE)],
        ),
        _logger(_all(ended, websocket, _status("GE", 500)), counters=_counters("bad")),
        # Its client gave up after the time in which the release had to answer.
        _logger(_all(ended, waiting, plain, _age("GE", age)), counters=_counters("total", promptly)),
        # Each request is added at one look, and its end subtracts it.
        _logger(
            _all(
                _at("DownstreamPeriodic"),
                waiting,
                plain,
                _age("GE", age - _EARLY_MS),
                _age("LE", age + _LATE_MS),
            ),
            gauges=[_gauge("overdue", promptly)],
        ),
    ]
    # Shared between the loggers of a listener and of the one that replaces it: otherwise counters would begin again.
    name = f"{COUNTS}.{series}"
    for kind in kinds:
        kind["typed_config"]["stats_scope"] = {"prefix": name, "sharing_name": name}
    return kinds


def _within(limits_s: Sequence[float], wait: str) -> list[Json]:
    return [
        _counter(f"within.{ms}", _if(wait, up_to(ms - 1)))
        for ms in sorted({limit_ms(limit) for limit in limits_s})
    ]


def limit_ms(limit_s: float) -> int:
    return max(1, round(limit_s * 1000))


# ---- parts of a logger ----------------------------------------------------------------------------------


def _logger(when: Json, **stats: list[Json]) -> Json:
    return {
        "name": "envoy.access_loggers.stats",
        "filter": when,
        "typed_config": {"@type": _STATS, **stats},
    }


def _stat(name: str, *conditions: Json) -> Json:
    return {"name": name, "tags": [_RELEASE_TAG, *conditions]}


def _counters(name: str, *conditions: Json) -> list[Json]:
    """One counter for the release, and one for each of its instances, under the same conditions."""
    apart = {"name": f"{EACH}.{name}", "tags": [_RELEASE_TAG, _INSTANCE_TAG, *conditions]}
    return [_counter(name, *conditions), {"stat": apart, "value_fixed": 1}]


def _counter(name: str, *conditions: Json) -> Json:
    return {"stat": _stat(name, *conditions), "value_fixed": 1}


def _gauge(name: str, *conditions: Json) -> Json:
    paired = {"add_log_type": "DownstreamPeriodic", "sub_log_type": "DownstreamEnd"}
    return {"stat": _stat(name, *conditions), "value_fixed": 1, "add_subtract": paired}


def _histogram(name: str, value: str) -> Json:
    return {"stat": _stat(name), "unit": "Milliseconds", "value_format": value}


def _if(value: str, pattern: str) -> Json:
    """A tag that leaves no trace when its value matches, and drops the statistic when it does not."""
    seen = {
        "input": _typed("tag", {"@type": _TAG_INPUT}),
        "value_match": {"safe_regex": {"google_re2": {}, "regex": pattern}},
    }
    matcher = {"predicate": {"single_predicate": seen}, "on_match": _action({"drop_tag": {}})}
    rules = {"matcher_list": {"matchers": [matcher]}, "on_no_match": _action({"drop_stat": {}})}
    return {"name": "condition", "value_format": value, "rules": rules}


def _action(transform: Json) -> Json:
    return {"action": _typed("transform", {"@type": _TRANSFORM, **transform})}


def _typed(name: str, config: Json) -> Json:
    return {"name": name, "typed_config": config}


def up_to(last: int) -> str:
    """A regular expression for the decimal numbers from 0 to `last`."""
    digits = str(last)
    parts = [f"[0-9]{{1,{len(digits) - 1}}}"] if len(digits) > 1 else []
    for place, digit in enumerate(digits):
        rest = len(digits) - place - 1
        low = "1" if place == 0 and len(digits) > 1 else "0"
        if digit > low:
            below = f"[{low}-{int(digit) - 1}]"
            parts.append(f"{digits[:place]}{below}" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*parts, digits])


# ---- filters --------------------------------------------------------------------------------------------


def _all(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}}


def _either(*filters: Json) -> Json:
    return {"or_filter": {"filters": list(filters)}}


def _at(kind: str) -> Json:
    return {"log_type_filter": {"types": [kind]}}


def _compared(op: str, value: int) -> Json:
    return {
        "comparison": {"op": op, "value": {"default_value": value, "runtime_key": f"slipway.{op}.{value}"}}
    }


def _status(op: str, value: int) -> Json:
    return {"status_code_filter": _compared(op, value)}


def _age(op: str, ms: int) -> Json:
    return {"duration_filter": _compared(op, ms)}


def _websocket(asked: bool) -> Json:
    match = {"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}
    return {
        "header_filter": {
            "header": match
            if asked
            else {**match, "invert_match": True, "treat_missing_header_as_empty": True}
        }
    }

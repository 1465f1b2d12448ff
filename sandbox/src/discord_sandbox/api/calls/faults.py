"""Faults: inject, list, end."""

from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid
from discord_sandbox.api.views import Views
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.traffic.faults import SESSIONS, Fault


def _number(call: ApiCall, key: str) -> float | None:
    return None if call.get(key) is None else call.number(key)


def _read(call: ApiCall) -> Fault:
    kind = call.text("kind")
    count, seconds = _number(call, "count"), _number(call, "seconds")
    application = call.application()
    code: Any = call.get("code")
    delay = _number(call, "delay_ms") or 0.0
    if kind == "slow" and not delay:
        raise invalid('A fault of kind slow needs "delay_ms".')
    return Fault(
        "",
        kind,
        str(call.get("method")).upper() if call.get("method") else None,
        str(call.get("route")) if call.get("route") else None,
        application.name if application is not None else None,
        int(count) if count is not None else (None if seconds is not None else 1),
        seconds,
        _number(call, "retry_after") or 1.0,
        call.get("scope") or "user",
        delay,
        bool(call.get("after")),
        int(code) if code is not None else None,
        str(call.get("event") or "INTERACTION_CREATE"),
    )


async def create(call: ApiCall) -> JSON:
    fault = call.core.faults.add(_read(call))
    if fault.kind in SESSIONS:
        for session in list(call.core.gateway.sessions.values()):
            name = session.application.name
            if session.connected and fault.application in (None, name) and call.core.faults.is_active(fault):
                fault.hits += 1
                call.core.gateway.apply_fault(session, fault)
        if fault.hits and fault.seconds is None:
            fault.ended = True
    call.core.feed.publish("faults_update", None)
    return Views(call.core).fault(fault)


async def listed(call: ApiCall) -> JSON:
    return {"faults": [Views(call.core).fault(one) for one in call.core.faults.all.values()]}


def _found(call: ApiCall) -> Fault:
    found = call.core.faults.all.get(call.params["id"])
    if found is None:
        raise ApiError(404, "unknown_fault", f'There is no fault "{call.params["id"]}".')
    return found


async def get(call: ApiCall) -> JSON:
    return Views(call.core).fault(_found(call))


async def delete(call: ApiCall) -> JSON:
    fault = _found(call)
    call.core.faults.remove(fault.id)
    call.core.feed.publish("faults_update", None)
    return Views(call.core).fault(fault)


async def clear(call: ApiCall) -> JSON:
    call.core.faults.clear()
    call.core.feed.publish("faults_update", None)
    return {"faults": []}

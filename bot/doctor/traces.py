"""Check of `slipway doctor`: whether the endpoint for traces answers."""

from __future__ import annotations

from bot.composition.tracing import installed, no_answer
from bot.doctor.lines import CheckLine, ok, warn
from bot.settings import Settings, without_password

_WHAT = "traces"
_FIX = (
    "check OTEL_EXPORTER_OTLP_ENDPOINT (HTTP, mostly port 4318) and the collector; rollouts go on without it"
)


async def examine_traces(settings: Settings) -> CheckLine:
    url = settings.otel.traces_url
    if url is None:
        return ok(_WHAT, "not configured; OTEL_EXPORTER_OTLP_ENDPOINT switches traces of rollouts on")
    if not installed():
        fix = 'pip install "slipway[otel]", or set OTEL_SDK_DISABLED=true'
        return warn(_WHAT, "an endpoint is set, and the libraries are not installed", fix)
    shown = without_password(url)[0]
    why = await no_answer(settings)
    return warn(_WHAT, f"{shown} does not take them ({why})", _FIX) if why else ok(_WHAT, f"{shown} answers")

"""The kind of target that runs programs of the machine. Only the host makes its runtime."""

from __future__ import annotations

from bot.adapters.runtimes.context import RuntimeContext, runtime_kind
from bot.adapters.runtimes.process.settings import ProcessSettings
from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.ports.data_plane.runtimes import Runtime


def _make(settings: ProcessSettings, context: RuntimeContext) -> Runtime:
    from bot.adapters.runtimes.process.runtime import make_process_runtime

    return make_process_runtime(settings, context)


KIND = runtime_kind(ProcessSettings, _make, spec=ProcessSpecSettings)

"""The runner of benchmarks leaves no process behind."""

from __future__ import annotations

import subprocess
import sys

import psutil

from benchmarks.__main__ import _end
from tests.support.waiting import until

# A benchmark that stops at an interrupt, and a worker of it that does not.
WORKER = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('here', flush=True); time.sleep(300)"
BENCHMARK = f"""
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", {WORKER!r}], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(300)
"""


async def test_a_benchmark_that_is_ended_takes_its_workers_along() -> None:
    command = [sys.executable, "-c", BENCHMARK]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline()))
        assert worker.is_running()
        _end(process)
        assert process.returncode is not None

        async def gone() -> bool:
            try:
                # Where nothing collects it, it stays as a zombie.
                return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                return True

        await until(gone)

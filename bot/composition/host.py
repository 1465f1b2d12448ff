"""`python -m bot.composition.host`: run the host under its watchdog, or stop a running one."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.adapters.targets.hosted.host.watchdog import AlreadyRunning, Watchdog, lock
from bot.protection import close_process, forbid_new_privileges


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 stopped in good order, 1 failed, 3 another host has the data folder."""
    options = _options(arguments)
    data_dir: Path = options.data_dir.resolve()
    if options.serve:
        _protect()
        from bot.adapters.targets.hosted.host.program import serve
        from bot.composition.platforms import make_platform

        return serve(data_dir, make_platform, options.lock_fd, options.channel, json.loads(options.held))
    if options.command == "stop":
        from bot.adapters.targets.hosted.host.program import stop

        return stop(data_dir)
    if options.watch_pid:
        _protect()
        channel = socket.socket(fileno=options.channel)
        return Watchdog(data_dir, options.lock_fd).run(channel, options.watch_pid)
    try:
        lock_fd = lock(data_dir)
    except AlreadyRunning as running:
        print(f"slipway host: {running}", file=sys.stderr)
        return 3
    _protect()
    if options.detach:
        if os.fork():
            return 0
        os.setsid()
    return Watchdog(data_dir, lock_fd).run()


def _protect() -> None:
    """Host and watchdog hold the listening sockets and the secrets of releases; neither needs more rights later."""
    close_process()
    forbid_new_privileges()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slipway host", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("run", "stop"), default="run")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of state, logs and the socket")
    parser.add_argument(
        "--detach", action="store_true", help="run in the background, in a session of its own"
    )
    parser.add_argument("--watch", action="store_true", help="run under the watchdog (the default)")
    internal = parser.add_argument_group("internal, between the host and its watchdog")
    internal.add_argument("--serve", action="store_true")
    internal.add_argument("--watch-pid", type=int, default=0)
    internal.add_argument("--lock-fd", type=int, default=-1)
    internal.add_argument("--channel", type=int, default=-1)
    internal.add_argument("--held", default="{}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

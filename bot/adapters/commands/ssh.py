"""Commands on other machines: the system's OpenSSH client, asked nothing, with strict host keys.

What is to run goes to a shell's standard input there. So no server needs a setting, no environment stands on a command
line, the login shell does not matter, and the command ends when the connection does.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace

from bot.adapters.commands.jobs import SSH_FAILED, Command
from bot.kinds import SshSettings

_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "LogLevel": "ERROR",
}
_AGENT = "SSH_AUTH_SOCK"
# Runs the command in a session of its own. Input that ends means that the connection did, or that Slipway wants the
# command to end. 255 is left to the SSH client.
_SCRIPT = """\
{{
{exports}
{folder}
exec 3<&0
if command -v setsid >/dev/null 2>&1
then setsid {argv} </dev/null 3<&- & job=$!; group=-$job
else {argv} </dev/null 3<&- & job=$!; group=$job
fi
{{ cat; kill -s TERM -- $group; sleep {grace}; kill -s KILL -- $group; }} <&3 >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $job; code=$?
kill $watch 2>/dev/null
[ $code -eq 255 ] && code=1
exit $code
}}
"""


def over_ssh(ssh: SshSettings, command: Command, env: Mapping[str, str]) -> Command:
    """`command` on another machine, where it has the variables `env` beside those of the user's login."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in env.items())
    folder = f"cd -- {shlex.quote(ssh.folder)} || exit 1" if ssh.folder else ""
    script = _SCRIPT.format(
        exports=exports, folder=folder, argv=shlex.join(command.argv), grace=f"{command.grace_s:g}"
    )
    agent = {_AGENT: os.environ[_AGENT]} if _AGENT in os.environ else {}
    return replace(
        command,
        argv=client(ssh),
        env={**command.env, **agent},
        input=script,
        temporary=(*command.temporary, SSH_FAILED),
    )


def client(ssh: SshSettings) -> tuple[str, ...]:
    """The client's command line."""
    options = dict(_OPTIONS)
    if ssh.known_hosts is not None:
        options |= {"UserKnownHostsFile": str(ssh.known_hosts), "GlobalKnownHostsFile": "none"}
    if ssh.identity is not None:
        options |= {"IdentityFile": str(ssh.identity), "IdentitiesOnly": "yes"}
    chosen = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    port = ("-p", str(ssh.port)) if ssh.port is not None else ()
    user = ("-l", ssh.user) if ssh.user is not None else ()
    return ("ssh", "-T", *chosen, *port, *user, "--", ssh.host, "sh")

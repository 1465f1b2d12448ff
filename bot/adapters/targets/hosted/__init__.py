"""Releases on a runtime behind a router, both kept by the host, a program of its own.

`target.HostedTarget` implements the port; `host` is the program that it commands. This file imports nothing,
because the host's watchdog must stay small.
"""

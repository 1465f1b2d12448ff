"""Releases as supervised local processes behind a weighted router, in a host process of their own.

`target.ProcessTarget` is the port; `host` is the program that it commands. This file imports nothing, because
the host's watchdog must stay small.
"""

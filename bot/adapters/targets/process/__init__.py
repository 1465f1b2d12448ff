"""Releases as supervised local processes behind a weighted router, in a separate host process.

`target.ProcessTarget` implements the port; `host` is the program that it commands. This file imports nothing,
because the host's watchdog must stay small.
"""

"""Slipway: staged rollouts from a Discord channel, judged on measured requests."""

__version__ = "0.1.0"

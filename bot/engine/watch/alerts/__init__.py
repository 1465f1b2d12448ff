"""Alerts: what is found, told and acted upon, in Discord and through sinks."""

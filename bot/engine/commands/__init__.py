"""Slash commands are deployed like anything else: the desk that people ask, and what it answers."""

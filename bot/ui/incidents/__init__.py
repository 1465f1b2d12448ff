"""Incidents in Discord: one message for each with its thread, and its buttons."""

"""Alerts in Discord: one message for each, edited as it develops, and its buttons."""

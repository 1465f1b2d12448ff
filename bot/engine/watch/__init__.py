"""Watching what is deployed: alerts, monitors, and who is on call."""

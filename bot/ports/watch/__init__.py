"""Ports of watching: alerts, checks, monitors, on-call schedules, and where findings go and come from."""

"""Alerts and watched lanes in PostgreSQL."""

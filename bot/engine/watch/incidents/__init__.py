"""Incidents, run durably: people's requests, what alerts say, and what comes due."""

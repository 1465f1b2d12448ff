"""Interactions by HTTP: signed requests to an address of the application."""

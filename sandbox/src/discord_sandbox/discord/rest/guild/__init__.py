"""Endpoints of one server."""

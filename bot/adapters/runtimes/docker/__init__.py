"""Releases as containers of a Docker Engine."""

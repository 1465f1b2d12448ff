"""Releases as supervised processes of this machine."""

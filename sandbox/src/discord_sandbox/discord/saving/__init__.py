"""Worlds as JSON: saved whole, restored, kept in files."""

"""Runs the rules durably: persist, then act."""

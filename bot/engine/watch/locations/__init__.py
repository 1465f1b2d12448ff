"""Checks that are asked from several locations: asking in each of them, and gathering what they saw."""

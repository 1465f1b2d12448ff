"""Checks that are asked from several locations: a prober in each of them, and the aggregator of what they saw."""

"""Traces: a rollout as spans, made of what was saved."""

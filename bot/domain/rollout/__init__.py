"""Rollouts: model, plans, kinds of steps, state machine."""

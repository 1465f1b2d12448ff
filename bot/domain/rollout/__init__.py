"""Rollouts: model, plans, kinds of steps, and the state machine in `machine/`."""

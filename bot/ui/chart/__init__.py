"""The chart on a rollout's card."""

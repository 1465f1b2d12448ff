"""Chart of a rollout's card."""

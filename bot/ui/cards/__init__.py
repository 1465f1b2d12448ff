"""Card of a rollout: content, schedule, message and thread."""

"""Self-monitoring: findings about this process, as alerts or directly to sinks."""

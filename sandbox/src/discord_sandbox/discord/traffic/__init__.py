"""What happens to calls on their way: rate limits, injected faults, the log."""

"""Statistics: the sequential test, confidence bounds, power, and the comparisons of latencies and instances."""

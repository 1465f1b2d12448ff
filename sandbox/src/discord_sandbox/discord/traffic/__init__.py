"""Rate limits, injected faults and the log of REST calls."""

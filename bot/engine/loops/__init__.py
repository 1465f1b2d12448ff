"""Background loops: timers, judge ticks, reconciliation, cleanup."""

"""What runs by itself: timers, judge ticks, reconciliation, cleanup."""

"""The JSON API under /sandbox/v1: people, time, faults and a look at everything, for scripts and the page."""

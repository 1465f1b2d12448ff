"""Alerts of other programs that come in, and sinks that alerts go out to."""

"""Sinks that alerts go out to, one module each."""

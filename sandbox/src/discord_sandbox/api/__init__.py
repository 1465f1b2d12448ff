"""The JSON API under /sandbox/v1: act as people, inject faults, move time, and read everything."""

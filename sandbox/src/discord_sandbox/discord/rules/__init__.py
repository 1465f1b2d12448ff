"""What Discord refuses in a body, and what it makes of one that it accepts."""

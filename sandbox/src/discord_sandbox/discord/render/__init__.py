"""Discord's JSON for everything in the state."""

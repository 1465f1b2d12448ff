"""The model and its store, ids, clock and permissions."""

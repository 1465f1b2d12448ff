"""What exists: the model, where it is kept, ids, clock and permissions."""

"""Evidence: what was counted of each release between two looks, and over which time both are compared."""

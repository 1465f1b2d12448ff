"""Charts of what lanes serve: a strip for each lane of a page, and one lane or alert in full."""

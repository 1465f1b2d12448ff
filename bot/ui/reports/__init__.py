"""Reports as people see them in Discord: the card and its chart."""

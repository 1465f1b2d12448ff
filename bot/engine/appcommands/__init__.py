"""Application commands as deploys: diff, validate, apply, back up, restore, watch."""

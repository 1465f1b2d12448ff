"""The handlers of the JSON API, by topic."""

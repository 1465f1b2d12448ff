"""The matrix of client libraries: their environments, the script that all bots are driven by, and its table."""

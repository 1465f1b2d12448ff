"""One lane on the host: its releases, listener, counts and logs."""

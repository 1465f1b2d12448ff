"""Alert sources: what other programs send to `/alerts/NAME`, read into findings."""

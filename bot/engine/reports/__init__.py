"""Reports of a server: on request, each week, and as rows to export."""

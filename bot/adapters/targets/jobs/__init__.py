"""What targets share that carry out each order by a job: a command, or a webhook."""

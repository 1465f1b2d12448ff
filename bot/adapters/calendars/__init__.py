"""Calendars of on-call schedules: read from files and addresses, expanded in a process of their own."""

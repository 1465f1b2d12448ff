"""Answers of `/commands-sync`."""

"""The webhook target: another system deploys, told by signed requests."""

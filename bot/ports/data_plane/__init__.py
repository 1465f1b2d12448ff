"""Ports of what carries traffic: targets, runtimes, routers, their metrics, and the bindings of rollouts."""

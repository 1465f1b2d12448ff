"""HAProxy as the router: one small HAProxy for each lane, commanded and counted through its runtime API.

A process of its own for each lane, because HAProxy 2.6 cannot add a frontend while it runs: a new lane would reload the
process of all lanes, end their idle connections and restart their counters. So a lane's flood, crash or reload
concerns that lane alone.

A lane has a fixed number of *slots*, pairs of backends that exist from the start, because backends cannot be added at
run time either. A release takes a slot when it gets its first share. Servers can be added and deleted at run time, so
those of a slot are made when its release has instances.
"""

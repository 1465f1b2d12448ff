"""Ports: the Protocols that adapters implement, one module per area.

"No data" is a value; "cannot reach" is an error (`Unreachable`). Adapters translate their own exceptions into those of
`errors`. Records, connections and payloads of a library never cross a port.
"""

"""Commands of `slipway`. Each parses its arguments, calls another module and prints the result.

`COMMANDS` in `bot/__main__.py` names the module of every command.
"""

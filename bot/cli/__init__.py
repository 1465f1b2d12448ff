"""Commands of `slipway`. Each parses its arguments, calls another module and prints the result."""

"""Stories that people play in the sandbox: the demo and the tests play the same ones."""

"""Stories that people play in the sandbox, for the demo and the tests alike."""

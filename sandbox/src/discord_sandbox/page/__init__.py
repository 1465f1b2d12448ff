"""The web page of the sandbox: hand-written HTML, CSS and ES modules, served as they are."""

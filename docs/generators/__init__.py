"""Pages of the documentation site that are made from code: settings, catalog, command line, examples."""

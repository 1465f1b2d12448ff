"""Build the program: adapters from the catalog, wiring, health."""

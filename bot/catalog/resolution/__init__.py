"""Resolution of the catalog's models into objects of the domain."""

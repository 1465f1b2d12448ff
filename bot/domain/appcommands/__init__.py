"""Application commands: manifests, their validation and diff, and the calls that apply them."""

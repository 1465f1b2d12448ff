"""The judge: `judge`, `plan`, `why`."""

"""The judge: samples and policy in, verdict and reasons out."""

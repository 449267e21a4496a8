"""Document in, record out: pure, deterministic, and without a guess that is not written down in `mapping.yaml`."""

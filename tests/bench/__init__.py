"""Stopwatches, each beside its floor in the same run. `make bench-sync` runs the connector's."""

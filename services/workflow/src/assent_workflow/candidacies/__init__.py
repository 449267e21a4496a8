"""Model versions put forward for use cases: the thing that has a status."""

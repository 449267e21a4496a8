"""Every test of the repository may ask for the servers of `tests/support`."""

pytest_plugins = ["tests.support.plugin"]

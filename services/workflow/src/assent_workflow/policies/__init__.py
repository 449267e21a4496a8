"""Versioned rules: who must approve what, and which checks must pass."""

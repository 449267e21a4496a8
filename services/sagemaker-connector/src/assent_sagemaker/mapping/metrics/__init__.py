"""Metrics reports: bytes to JSON, JSON to measurements, measurements to metrics by canonical names."""

"""A source's documents to records and events: whole, incrementally, and what is gone."""

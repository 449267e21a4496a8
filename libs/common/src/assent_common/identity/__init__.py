"""Who is asking: bearer tokens, keys and roles."""

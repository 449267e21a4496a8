"""What travels between the services: one module a topic, and the envelope they all share."""

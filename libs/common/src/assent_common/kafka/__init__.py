"""Kafka, behind as little of our own as will do."""

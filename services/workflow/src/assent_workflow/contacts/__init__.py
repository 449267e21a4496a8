"""Where people and roles are reached, and what they want to be told."""

"""The door to AWS: each operation once, typed, paced, and with errors that say what the caller can do."""

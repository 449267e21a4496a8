"""A use case's steps: from its proposal to what is decided of it, and every year again."""

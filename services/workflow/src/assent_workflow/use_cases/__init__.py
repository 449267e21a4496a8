"""What the workflow has to say of a use case as a whole."""

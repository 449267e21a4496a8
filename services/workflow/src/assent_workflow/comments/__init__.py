"""What is said of a review: a flat thread that only grows."""

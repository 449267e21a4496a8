"""What leaves for the systems of others: taken by one worker at a time, again until it is taken there."""

"""Rounds of judging: who is asked, what they decide, and what follows."""

"""Whose turn it is: which sources this process holds, which of them are due, and a bounded number of turns at once."""

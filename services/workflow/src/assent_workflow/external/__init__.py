"""Checks that another system of the company answers."""

"""Which person of the company a name elsewhere stands for."""

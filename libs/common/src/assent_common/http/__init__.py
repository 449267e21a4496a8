"""HTTP as every Assent service speaks it."""

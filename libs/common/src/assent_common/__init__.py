"""What every Assent service shares. It knows none of them."""

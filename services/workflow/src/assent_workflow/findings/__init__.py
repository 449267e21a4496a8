"""What breaks the rules: found once, resolved when it ends, found again when it comes back."""

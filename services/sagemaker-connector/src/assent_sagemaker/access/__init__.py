"""What a source's role may do, permission by permission, tried out; and whether only Assent can approve."""

"""What happens here, told to internal systems over HTTP, signed."""

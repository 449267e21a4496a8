"""What happens here, told to the people whom it concerns: by mail and in chat, at once or gathered."""

"""What the server sends by itself."""

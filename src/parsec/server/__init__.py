"""The server: stores and relays, and learns no secret."""

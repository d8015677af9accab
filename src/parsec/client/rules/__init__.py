"""What the client decides from facts alone, and what must hold before it believes its peers."""

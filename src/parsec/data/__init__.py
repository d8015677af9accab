"""What the bytes mean: frozen records with load and dump."""

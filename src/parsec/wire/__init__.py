"""Plain values to bytes and back; knows no key."""

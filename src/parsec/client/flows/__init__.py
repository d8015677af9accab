"""Conversations as generators of steps; `parsec.client.drive` runs them."""

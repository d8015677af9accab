"""Named SQL and the records it yields; no decision."""

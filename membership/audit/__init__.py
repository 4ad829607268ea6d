"""The append-only log: the only writer of audit entries, and what proves them."""

"""A stream of texts compared with a reference: what changed, when and how much."""

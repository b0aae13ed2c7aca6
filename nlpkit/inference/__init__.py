"""A whole run, loaded as everyone loads it, and asked."""

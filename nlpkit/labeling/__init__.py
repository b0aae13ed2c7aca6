"""Which texts to label next, and a run that learns from them."""

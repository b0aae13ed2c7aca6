"""How good, how confident and how fair a model is."""

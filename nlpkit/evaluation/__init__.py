"""How good, how sure and how fair a model is."""

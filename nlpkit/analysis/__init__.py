"""What a file of texts says: shares, changes, themes, which texts to read; and whether a stream changes."""

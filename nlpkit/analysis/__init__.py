"""What a file of texts says: shares, changes, themes, and which texts to read; and whether a stream changes."""

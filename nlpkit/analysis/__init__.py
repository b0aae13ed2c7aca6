"""What a file of texts says: shares, changes, themes and texts to read; and whether a stream changes."""

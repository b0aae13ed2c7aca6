"""What a file of texts says: shares, changes, themes, what to read; and whether a stream changes."""

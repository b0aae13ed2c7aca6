"""One module for each way that rows lie in a file: each yields records and bad rows, in order."""

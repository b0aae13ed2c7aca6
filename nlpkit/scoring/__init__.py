"""Files in, scored files out: resumable, and whole or not at all."""

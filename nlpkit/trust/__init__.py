"""Whether an answer can be trusted: each part works on any run whose answers are labels."""

"""Speed, memory and quality, each against a named peer in the same run; results as JSON and Markdown."""

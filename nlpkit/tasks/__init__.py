"""What is asked of a model: parse a record, encode an example, decode an answer, name its metrics."""

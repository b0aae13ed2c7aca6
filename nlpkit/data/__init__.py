"""Rows in and out: records, typed examples, splits and checks."""

"""Metrics: one object each, with confidence intervals and paired tests."""

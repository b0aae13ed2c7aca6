"""Rows to a whole run: preflight, trainer, checkpoints that can be trusted."""

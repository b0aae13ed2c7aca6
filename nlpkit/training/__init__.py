"""Training, from rows to a completed run: preflight, trainer, verified checkpoints."""

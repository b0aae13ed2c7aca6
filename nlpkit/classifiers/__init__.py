"""Classifiers: load a run, predict with calibrated probabilities, and export to faster runtimes."""

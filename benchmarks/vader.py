"""VADER as a peer."""

from nlpkit.trust.vader import THRESHOLD, compounds, label_of, predict

__all__ = ["THRESHOLD", "compounds", "label_of", "predict"]

"""Sentiment and dialogue from your own data: fine-tune with LoRA, measure honestly, score files, anywhere."""

__version__ = "0.1.0"

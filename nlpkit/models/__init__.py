"""Pretrained base, head and LoRA: built, saved and proved to come back."""

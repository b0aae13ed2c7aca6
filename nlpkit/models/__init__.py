"""Pretrained base, head and LoRA: built, saved and loaded."""

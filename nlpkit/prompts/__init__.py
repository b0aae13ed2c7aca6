"""Prompts: turn a conversation into token ids through the model's chat template."""

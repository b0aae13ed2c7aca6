"""Chat models: load a run, generate replies, and decide what of a conversation the model sees."""

"""The few families of answers: what a head's numbers become, what is minimized, measured and shown."""

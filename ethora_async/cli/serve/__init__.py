"""The web endpoints as a separate process."""

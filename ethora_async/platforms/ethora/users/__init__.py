"""Users of an app."""

"""Sessions of logged-in users, and what they do."""

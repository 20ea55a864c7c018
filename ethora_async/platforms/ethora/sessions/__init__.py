"""Sessions of logged-in users, and operations as a user."""

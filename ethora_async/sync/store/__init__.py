"""The journal of a plan: its file, its schema and every statement on it."""

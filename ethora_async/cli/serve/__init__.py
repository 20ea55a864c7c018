"""The token endpoint as a process of its own."""

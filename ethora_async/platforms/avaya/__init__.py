"""Avaya Experience Platform: chat tokens for verified customers and guests."""

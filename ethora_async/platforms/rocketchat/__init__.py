"""Rocket.Chat: users, rooms, tokens, embedding and realtime."""

"""Chats of an app: rooms, access, messages, broadcasts."""

"""Ethora: users, chats and access rights of an app, and the tokens its front end logs in with."""

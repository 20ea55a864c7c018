"""Ethora: users, chats and access rights of an app, and the tokens with which its front end logs in."""

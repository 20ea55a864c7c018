"""Realtime events of an Ethora user's chats: XMPP over a websocket."""

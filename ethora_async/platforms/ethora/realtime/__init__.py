"""What happens in an Ethora user's chats, as it happens: XMPP over a websocket."""

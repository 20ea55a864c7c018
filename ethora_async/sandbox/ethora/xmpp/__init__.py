"""The chat side of the local Ethora: XMPP over a websocket."""

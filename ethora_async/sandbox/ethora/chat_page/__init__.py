"""The chat page at `/_sandbox/chat`, which logs a user in and uses XMPP."""

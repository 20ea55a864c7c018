"""A chat for a person to look at: a page at `/_sandbox/chat` that logs a user in and talks XMPP."""

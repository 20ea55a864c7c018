"""ImbaChat: tokens for users, what the chat server asks about them, and the widget."""

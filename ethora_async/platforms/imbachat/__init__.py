"""ImbaChat: tokens for users, the users-info callback, and the widget."""

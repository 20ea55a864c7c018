"""The local ImbaChat: it serves the widget, takes its log-ins, and asks your site about users."""

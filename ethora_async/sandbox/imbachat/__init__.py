"""The local ImbaChat: it serves the widget, accepts its log-ins, and looks up users through your site."""

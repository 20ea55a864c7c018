"""The local Rocket.Chat: REST and realtime (DDP), as in versions 6.x to 9.0."""

"""The local Rocket.Chat: REST and realtime (DDP), in the words of its generations 6.x to 9.0."""

"""The realtime side of the local Rocket.Chat: DDP over a websocket (docs/platforms/rocketchat.md#realtime)."""

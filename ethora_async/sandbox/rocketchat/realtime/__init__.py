"""The realtime door of the local Rocket.Chat: DDP over a websocket (contract §2)."""

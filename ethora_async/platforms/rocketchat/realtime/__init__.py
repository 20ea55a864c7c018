"""Events over the platform's websocket (DDP)."""

"""``ethora outbox``: intents written in your own database transactions, carried out on the platform."""

"""The local Avaya Experience Platform: its token endpoint and its Generate JWT call."""

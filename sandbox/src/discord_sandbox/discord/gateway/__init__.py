"""The websocket side: sessions, compression, intents and dispatches."""

"""The WebSocket side: connections, sessions, compression, intents and dispatches."""

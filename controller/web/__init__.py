"""The web page: what the controller knows, for eyes. It reads and never writes, and nothing waits for it."""

"""The store: messages on disk before a 250, their bodies, their next attempts."""

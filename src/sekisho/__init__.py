"""Sekisho: an SMTP relay that lets nobody pass without checked papers."""

"""Adapters to the outside: streams, TLS, DNS."""

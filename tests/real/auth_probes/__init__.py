"""The audit catalogue's probes of authentication, part B, as one table."""

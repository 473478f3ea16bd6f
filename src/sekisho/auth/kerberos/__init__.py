"""Kerberos: tickets for our own service, and passwords that a KDC vouches for."""

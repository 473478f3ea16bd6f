"""SASL exchanges, authenticators, lockout."""

"""Bounces, Received and other trace fields, as values."""

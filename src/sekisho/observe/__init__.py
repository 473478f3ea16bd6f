"""Typed events to log, metrics and timeline."""

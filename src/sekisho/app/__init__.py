"""Wiring: the only place that builds and connects; worker and control socket."""

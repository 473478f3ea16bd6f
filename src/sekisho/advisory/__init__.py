"""The bulletins: whether a host is affected, why, and what to do, as data and rules."""

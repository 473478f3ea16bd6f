"""Routes, TLS policy, one attempt at the next host."""

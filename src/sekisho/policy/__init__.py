"""Facts to decision, and the proof over it."""

"""What holds for all workers together: counts, locks, and what they know."""

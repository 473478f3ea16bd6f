"""What is due, to where, how many at a time."""

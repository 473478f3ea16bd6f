"""What the file may say; loading it; errors with file and line."""

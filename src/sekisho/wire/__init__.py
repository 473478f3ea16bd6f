"""Grammar: bytes to typed values and back."""

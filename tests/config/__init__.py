"""Tests of what the configuration may say."""

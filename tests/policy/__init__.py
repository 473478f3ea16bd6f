"""Tests of `sekisho.policy`."""

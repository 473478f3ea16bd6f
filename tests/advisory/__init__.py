"""Tests of `sekisho.advisory`."""

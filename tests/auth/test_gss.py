"""What Kerberos's library says, taken for what it means."""

import importlib
from typing import Any

import pytest

from sekisho.auth.kerberos.gss import _CALLER_FAULTS

pytest.importorskip("gssapi", reason="no package gssapi: run .ci/peers")


def test_the_client_s_faults_are_errors_that_the_library_has() -> None:
    """By a name that it does not have, an unreadable ticket would be 454 for ever."""
    library: Any = importlib.import_module("gssapi.raw.exceptions")
    for name in _CALLER_FAULTS:
        assert issubclass(getattr(library, name), library.GSSError)

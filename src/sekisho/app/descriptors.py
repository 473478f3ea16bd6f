"""Open files: each session is one, and running out of them is no way to be full.

Who connects often enough would otherwise take the descriptors that bodies, deliveries
and the queue need, and what cannot be stored ends the service.
"""

import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from sekisho.model.limits import ServiceLimits

RESERVED = 256
"""For everything but sessions: bodies, deliveries, databases, metrics, control."""

Tell = Callable[[str, str, str], None]
"""About what, in which detail, with which hint."""


def fit_to_descriptors(limits: ServiceLimits, tell: Tell) -> ServiceLimits:
    """Raise the limit of open files as far as it goes, and take no more sessions.

    Args:
        limits: As the configuration has them.
        tell: Called where the configuration wants more than the system gives.

    Returns:
        The limits, with as many sessions as there are descriptors for.

    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    given, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fitting = max(given - RESERVED, 1)
    if given == resource.RLIM_INFINITY or limits.max_sessions <= fitting:
        return limits
    tell(
        "open files",
        f"max_sessions is {limits.max_sessions}, but only {given} files may be open: "
        f"{fitting} sessions are taken",
        "raise LimitNOFILE (systemd) or ulimit -n, or lower max_sessions",
    )
    return replace(limits, max_sessions=fitting)

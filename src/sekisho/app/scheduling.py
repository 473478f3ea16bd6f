"""How a worker shares its cores: by the kernel's policy for batch work.

Clients, the next host and we are woken by each other many times a message. Under the
usual policy each of them interrupts whoever runs; a worker is then interrupted before
it has read what others have sent, and makes a group, a wake-up and a write of each
single thing. A process of batch work does not interrupt others when it is woken, so
that more waits for it each time. Where a core is free nothing is later.
"""

import os
from contextlib import suppress


def work_in_batches() -> None:
    """Take the policy, for threads that are started from now on too.

    Where the platform has none, or forbids it, things stay as they are.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

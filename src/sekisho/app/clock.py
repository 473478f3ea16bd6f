"""The one clock of the service: seconds since 1970, of the wall."""

import time
from collections.abc import Callable

unix_seconds: Callable[[], float] = time.time  # noqa: TID251 - for the whole service

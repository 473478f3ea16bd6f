"""The first module of a worker: ``python -P -m sekisho.app.work CHANNEL LOCK``."""

import sys

from sekisho.app.starting import imported

if __name__ == "__main__":
    sys.exit(imported("sekisho.app.worker_process").main())

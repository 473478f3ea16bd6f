"""One operation for a command: by the running service, or by itself if none runs.

Who only asks need not know how it is done: the greater part of the service is imported
where no service runs.
"""

from typing import Any

from sekisho.app.control import Arguments, NotRunning, ask
from sekisho.app.starting import imported
from sekisho.config.schema import Config


def perform(config: Config, do: str, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Do an operation, wherever it can be done.

    Raises:
        Refusal: It cannot be done.

    """
    try:
        return ask(config.data_dir, do, arguments)
    except NotRunning:
        return imported("sekisho.app.stopped").by_itself(config, do, arguments)

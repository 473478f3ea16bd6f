"""What every table of the configuration file is: frozen, and without unknown keys."""

from pydantic import BaseModel

from sekisho.config.fields import STRICT


class Table(BaseModel):
    """A table of the file."""

    model_config = STRICT

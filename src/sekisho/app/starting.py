"""How a process starts: nothing of what it imports is garbage.

Classes and functions by the ten thousand make Python look for garbage again and again
and find none: a sixth of all that a start takes.
"""

import gc
import importlib
from types import ModuleType


def imported(module: str) -> ModuleType:
    """Import a module and all that it brings, without looking for garbage meanwhile."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.enable()

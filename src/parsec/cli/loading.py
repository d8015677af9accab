"""Loading the commands, which takes most of the time of short ones."""

import importlib
import sys
from types import ModuleType

_UNNEEDED = "typing_extensions"


def loaded(module: str) -> ModuleType:
    """The module of a command or of a group of them."""
    _load_msgspec()
    return importlib.import_module(module)


def _load_msgspec() -> None:
    """As if typing_extensions was not there: Python itself has all that msgspec takes from it.

    It is there wherever another package has brought it, and takes half as long as msgspec to load.
    """
    if "msgspec" in sys.modules or _UNNEEDED in sys.modules:
        return
    # So an import of it fails (Python's reference, 5.3.1, the module cache).
    sys.modules[_UNNEEDED] = None  # type: ignore[assignment]
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules[_UNNEEDED]

"""Where on this machine a server keeps its things."""

import os
import tempfile
from pathlib import Path

import platformdirs

from parsec.server.command.settle import Place
from parsec.server.service.context import system_source

_FOLDER = "parsec-server"


def this_machine() -> Place:
    """The place of a process of this user."""
    return Place(
        data_folder=platformdirs.user_data_path(_FOLDER, appauthor=False),
        # Nobody else can guess the name, and so nobody can be there first.
        scratch_folder=Path(tempfile.gettempdir(), f"{_FOLDER}-{system_source(8).hex()}"),
        environment=os.environ,
        entropy=system_source,
    )

"""Every function that reads what somebody else wrote, each with the property that must hold.

A target takes any bytes at all and returns, or raises because something is wrong: what is read is
written back and read again as the same, and what is not read is refused by the documented errors
and no other. `make fuzz` tells the targets millions of inputs, `tests/test_decoders.py` hundreds.
"""

from collections.abc import Sequence

from tests.support.decoders import (
    addresses,
    administration,
    containers,
    files,
    keys,
    ledgers,
    mails,
    messages,
    openbao,
    texts,
)
from tests.support.decoders.target import Target

TARGETS: Sequence[Target] = (
    *messages.TARGETS,
    *containers.TARGETS,
    *files.TARGETS,
    *ledgers.TARGETS,
    *keys.TARGETS,
    *texts.TARGETS,
    *addresses.TARGETS,
    *openbao.TARGETS,
    *administration.TARGETS,
    *mails.TARGETS,
)

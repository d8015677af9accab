"""Where the program begins, and ends: before and after anything else is loaded."""

import gc

_MANY = 100_000
"""Objects made before Python looks which of them are garbage; usually 700."""


def main() -> None:
    """Run the program and end the process."""
    # Nearly all that a command makes stays until its end: looking for garbage meanwhile takes a
    # tenth of its time, and looking once more at the end another one.
    gc.set_threshold(_MANY)
    from parsec.cli.main import main

    try:
        main()
    finally:
        gc.freeze()

"""An independent implementation of Parsec: server, client library and command line."""

__version__ = "0.1.0"

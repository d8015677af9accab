"""Bytes in, bytes out: the only importer of PyNaCl and cryptography."""

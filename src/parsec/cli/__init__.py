"""The command line `parsec-cli`: options in, flow run, lines out."""

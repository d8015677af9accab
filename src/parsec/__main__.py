"""`python -m parsec`: hands over to the server's command line."""

from parsec.server.command.main import main

if __name__ == "__main__":
    main()

"""The command line: `python -m kind COMMAND`."""

"""The command line: `kind COMMAND`."""

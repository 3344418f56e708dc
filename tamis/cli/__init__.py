"""The command line: reads argv, prints, exits; nothing else does."""

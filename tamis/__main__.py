"""Entry point: run the command line and turn every failure into one clear message and its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from tamis.errors import BugError, TamisError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it (128 + SIGINT)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    import click

    from tamis.cli.root import root

    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        return int(root.main(given, prog_name="tamis", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; finished shards are kept: run the same command again to go on")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has what it wanted; closing stdout again at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except TamisError as error:
        if debug:
            sys.stderr.write(error.trace if isinstance(error, BugError) else traceback.format_exc())
        _say(f"error: {error}")
        return error.exit_code
    except Exception as error:
        if debug:
            traceback.print_exc()
        _say(f"error: {BugError(f'{type(error).__name__}: {error}', '')}")
        return TamisError.exit_code


def _say(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(message + "\n")


if __name__ == "__main__":
    sys.exit(main())

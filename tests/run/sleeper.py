"""A task that says who runs it and then sleeps."""

import os
import time
from pathlib import Path
from typing import Any


def sleep(pid_file: str, out: Path) -> dict[str, Any]:
    """Write the process id and sleep for a minute."""
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(60)
    return {}

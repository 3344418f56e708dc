"""What a dialect measures with: the English token view of datatrove, or the word view with Chinese definitions."""

from __future__ import annotations

from typing import ClassVar, Literal

from tamis.curate.rules.rule import Signals, without_blank
from tamis.text import TextBatch

Family = Literal["quality", "repetition", "fineweb", "c4"]


class DatatroveView:
    """Signals on the ``en-spacy`` view, equal to those of datatrove 0.10.1 with ``language="en"``."""

    dialect: ClassVar[str] = "datatrove"
    family: ClassVar[Family]

    def signals(self, batch: TextBatch) -> Signals:
        """Measure the family; what the batch already holds is taken from there."""
        from tamis.text import en

        return without_blank(en.en_view(batch, families=(self.family,)).signals[self.family], batch)

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""
        from tamis.text import en

        return en.FAMILIES[self.family]

    def versions(self) -> dict[str, str]:
        """Return view and tables."""
        from tamis.text import en

        return en.signature()


class ZhView:
    """Signals on the word view with the definitions of ``tamis.text.zh``."""

    dialect: ClassVar[str] = "zh"
    family: ClassVar[Family]

    def signals(self, batch: TextBatch) -> Signals:
        """Measure the family; what the batch already holds is taken from there."""
        from tamis.text import zh, zh_c4

        measure = {
            "quality": zh.quality_signals,
            "repetition": zh.repetition_signals,
            "fineweb": zh.fineweb_signals,
            "c4": zh_c4.c4_signals,
        }
        return without_blank(measure[self.family](batch), batch)

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""
        from tamis.text import zh, zh_c4

        names = {"quality": zh.QUALITY, "repetition": zh.REPETITION, "fineweb": zh.FINEWEB, "c4": zh_c4.C4}
        return names[self.family]

    def versions(self) -> dict[str, str]:
        """Return view, tables and the version of the definitions."""
        from tamis.text import zh

        return zh.signature()

"""``tamis curate dedup --audit``: the pairs nearest to the threshold, printed after the run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tamis.errors import UsageError

if TYPE_CHECKING:
    from tamis.curate.dedup import MinhashDedup
    from tamis.curate.dedup.audit import AuditPair
    from tamis.curate.dedup.near import Found

F = TypeVar("F", bound=Callable[..., Any])


def audit_options(command: F) -> F:
    """Add --audit and --audit-file."""
    command = click.option(
        "--audit-file", metavar="FILE", default=None, help="minhash: write the pairs of --audit as JSON lines too."
    )(command)
    return click.option(
        "--audit",
        type=click.IntRange(min=1),
        metavar="N",
        default=None,
        help="minhash: show N pairs next to the threshold, removed ones and kept ones.",
    )(command)


def check_audit(by: str, given: Mapping[str, Any]) -> None:
    """Refuse what cannot be audited before the run begins. Raises UsageError."""
    from tamis.storage import is_remote

    if given["audit"] is None:
        if given["audit_file"] is not None:
            raise UsageError("--audit-file needs --audit N, the number of pairs")
        return
    if by != "minhash":
        raise UsageError(f"--audit shows pairs around a similarity threshold, and --by {by} has none: use --by minhash")
    if given["output"] == "-" or is_remote(given["output"]):
        raise UsageError("--audit reads the corpus folder that was written: choose a local folder for -o")
    if given["audit_file"] and Path(given["output"]).resolve() in Path(given["audit_file"]).resolve().parents:
        raise UsageError(
            "--audit-file lies in the corpus folder, whose files an audit leaves alone: choose another place"
        )


def run_audit(stage: MinhashDedup, given: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Print the pairs next to the threshold to stdout; nothing in the corpus folder changes."""
    from tamis.curate.dedup.audit import audit, removed_pairs
    from tamis.curate.dedup.near import Found, disk_needed, near_pairs
    from tamis.run.corpus import open_corpus
    from tamis.run.ledger import WORK
    from tamis.storage import writing

    corpus = open_corpus(given["output"])
    method = stage.evidence()["method"]
    found = Found((), 0, 0, 0)
    if method == "jaccard":
        hasher = stage.hasher()
        say(f"audit: signing the kept documents again, {disk_needed(corpus, hasher, stage.threshold):,} bytes of disk")
        drafts = corpus.folder / WORK / "drafts"  # what a killed audit leaves there, the next run sweeps away
        with writing(drafts):
            drafts.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="audit-", dir=drafts) as scratch:
                found = near_pairs(corpus, hasher, stage.threshold, Path(scratch))
        with contextlib.suppress(OSError):
            drafts.rmdir()
    removed = removed_pairs(corpus, method) if corpus.evidence else ()
    pairs = audit(corpus, removed, found.pairs, stage.threshold, given["audit"])
    click.echo(_told(stage, method, found, pairs), nl=False)
    if given["audit_file"]:
        _write(given["audit_file"], pairs)


def _told(stage: MinhashDedup, method: str, found: Found, pairs: list[AuditPair]) -> str:
    """Return the pairs for people."""
    from tamis.cli.explained import excerpt, one_line

    lines = [f"audit of {method} at {stage.threshold:g} ({stage.shingle}): {len(pairs):,} pairs"]
    if method == "jaccard":
        missed = sum(value >= stage.threshold for _, _, value in found.pairs)
        lines.append(
            f"{found.documents:,} kept documents searched again: {found.compared:,} pairs compared of"
            f" {found.candidates:,} that may be near; {missed:,} at or above the threshold (MISSED)"
        )
    else:
        lines.append("only removed pairs: what was kept is searched by Jaccard similarity alone (--verify jaccard)")
    for pair in pairs:
        word = "MISSED" if pair.decision == "missed" else pair.decision
        lines.append(f"{word:<8} {pair.similarity:.6f}  {pair.id}  {pair.source}")
        lines.append(f"{'':<16}  {pair.other}  {pair.other_source or 'not in this corpus'}")
        if not pair.other_source:
            lines.append(f"    {one_line(pair.text[:120])}")
            continue
        changes = pair.plain()["difference"]
        count = f"{changes['changes']:,} change{'s' if changes['changes'] > 1 else ''}"
        shown = " … ".join(excerpt(hunk, 60) for hunk in changes["hunks"][:3])
        lines.append(f"    {count}: {shown}" if shown else "    the texts are equal")
    return "\n".join(lines) + "\n"


def _write(path: str, pairs: list[AuditPair]) -> None:
    """Write the pairs as JSON lines."""
    import orjson

    from tamis.storage import write_text

    write_text(path, "".join(orjson.dumps(pair.plain()).decode() + "\n" for pair in pairs))

"""``tamis curate ingest | filter | dedup | run``: thin commands around one pipeline."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

import tamis
from tamis.cli import neardup
from tamis.cli.audit import audit_options, check_audit, run_audit
from tamis.cli.options import corpus_options, memory_option, notes_wanted
from tamis.cli.root import SETTINGS
from tamis.cli.spans import OPTIONS, SPAN_KINDS, span_options

if TYPE_CHECKING:
    from tamis.curate.dedup import MinhashDedup
    from tamis.curate.plan import Plan, Stage

WHERE = "command line"


@click.command(context_settings=SETTINGS)
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.option("--extractor", default=None, show_default="resiliparse", help="resiliparse, or trafilatura (an extra).")
@click.option("--timeout", type=float, default=None, show_default="20.0", help="Seconds one page may take.")
@click.option(
    "--page-memory", "memory", type=int, default=None, show_default="2048", help="MiB the extraction process may use."
)
@click.option("--shard-size", type=int, default=None, show_default="67108864", help="Bytes of input per shard.")
@click.option("--text-field", default=None, show_default="text, else content", help="Column or key with the text.")
@click.option("--language", is_flag=True, help="Also identify the language of each document (model lid.176).")
@corpus_options
def ingest(sources: tuple[str, ...], language: bool, **rest: Any) -> int:
    """Read archives, pages and files into a corpus folder.

    SRC: files, folders, globs or URLs of WARC, WET, ARC, HTML, JSONL, Parquet, CSV or plain text, told apart by
    content. Every record becomes a document or a row in dropped/ with its reason.

    Example: tamis curate ingest crawl/ -o corpus
    """
    from tamis.curate.ingest import Ingest
    from tamis.curate.plan import Plan, plan_files

    options = _from_options(Ingest, "ingest", rest, ("extractor", "timeout", "memory", "shard_size", "text_field"))
    stages = [_stage("language")] if language else []
    files, rejected = plan_files(sources)
    return _execute(Plan(tuple(stages), tuple(files), tuple(rejected), ingest=options), rest)


@click.command("filter", context_settings=SETTINGS)
@click.argument("source", metavar="IN")
@click.option("--rules", required=True, multiple=True, metavar="LIST", help="Rules, by comma or repeated; see below.")
@click.option("--keep-signals", is_flag=True, help="Store what the rules measured as signal.* columns.")
@corpus_options
def filter_(source: str, rules: tuple[str, ...], keep_signals: bool, **rest: Any) -> int:
    """Keep or drop documents by rules, each drop with its reason, value and threshold.

    IN: a corpus folder, or any source that ingest reads. A rule is NAME, NAME@DIALECT or NAME(key=value,...):
    length, language, gopher-quality, gopher-repetition, c4, fineweb, or module:function of your own. Without a
    dialect Chinese and Japanese documents are judged by the zh dialect, all others as datatrove does for English.

    Example: tamis curate filter corpus -o clean --rules 'language(languages=en+zh),gopher-quality,gopher-repetition'
    """
    from tamis.curate.rules.spec import split_rules
    from tamis.recipe import Located

    names = [Located(name, WHERE) for name in split_rules(",".join(rules))]
    stage = _stage("filter", rules=names, keep_signals=keep_signals)
    stages = [stage]
    if any(rule.strip().startswith("language") for rule in rules) and not _has_language(source):
        stages.insert(0, _stage("language"))
    return _execute(_plan_for(source, stages), rest)


@click.command(cls=neardup.Explains, context_settings=SETTINGS)
@click.argument("source", metavar="IN")
@click.option(
    "--by",
    type=click.Choice(["url", "exact", "minhash", *SPAN_KINDS]),
    required=True,
    help="What counts as a duplicate.",
)
@click.option("--drop-tracking", is_flag=True, help="url: leave out utm_* and click ids.")
@click.option(
    "--threshold", type=float, default=None, show_default="0.8", help="minhash: least Jaccard; --action drop: share."
)
@click.option(
    "--keeper",
    default=None,
    show_default="longest",
    help="Which document stays: longest, earliest, signal:NAME (signal:-NAME: the lowest) or source:PREFIX,PREFIX.",
)
@neardup.neardup_options
@span_options
@audit_options
@memory_option
@corpus_options
def dedup(source: str, by: str, drop_tracking: bool, explain_parameters: bool, **rest: Any) -> int:
    """Remove duplicates; the longest text stays, and every removal names the document that stays for it.

    IN: a corpus folder, or any source that ingest reads. url: the same page address, normalised. exact: the same text
    but for white space. minhash: candidates by banded MinHash, each verified by its exact Jaccard similarity. line,
    paragraph, sentence (runs of three), substring (of 50 tokens): repeats are cut from the text, one copy stays.

    Example: tamis curate dedup clean -o corpus --by minhash --threshold 0.8
    """
    names = ("threshold", "keeper", *neardup.OPTIONS, *OPTIONS)
    given = {name: rest[name] for name in names if rest[name] is not None}
    if explain_parameters:
        return neardup.explain(given)
    if drop_tracking:
        given["drop_tracking"] = True
    check_audit(by, rest)
    stage = _stage("dedup", by=by, **given)
    code = _execute(_plan_for(source, [stage]), rest)
    if rest["audit"] is not None:
        run_audit(cast("MinhashDedup", stage), rest, notes_wanted(rest["quiet"]))
    return code


@click.command(context_settings=SETTINGS)
@click.argument("recipe", metavar="RECIPE")
@memory_option
@corpus_options
@click.pass_context
def run(ctx: click.Context, /, recipe: str, **rest: Any) -> int:
    """Run all stages of a recipe (YAML) into a corpus folder; run again to go on after an interruption.

    Example: tamis curate run fixtures/recipes/crawl.yaml -o corpus
    """
    from tamis.curate.recipe import read_recipe

    plan = read_recipe(recipe)
    given = {name for name in rest if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    rest["form"] = rest["form"] if "form" in given else plan.form
    rest["max_source_loss"] = rest["max_source_loss"] if "max_source_loss" in given else plan.max_source_loss
    return _execute(plan, rest)


def _from_options(cls: type[Any], kind: str, given: dict[str, Any], names: Sequence[str]) -> Any:
    """Make a dataclass from the options that were given; its own defaults fill the rest."""
    from tamis.recipe import Located, build

    values = {name: Located(given[name], WHERE) for name in names if given[name] is not None}
    return build(cls, Located(values, WHERE), kind)


def _stage(kind: str, **settings: Any) -> Stage:
    """Make a stage as a recipe would."""
    from tamis.curate.recipe import read_stages
    from tamis.recipe import Located

    values = {name: Located(value, WHERE) for name, value in settings.items()}
    _, stages = read_stages([Located({kind: Located(values, WHERE)}, WHERE)])
    return stages[0]


def _has_language(source: str) -> bool:
    """Tell whether a corpus folder was made with a language stage."""
    from tamis.run.corpus import is_corpus, open_corpus

    if not is_corpus(source):
        return False
    tables = open_corpus(source).tables(columns=["language"])
    return any(table.column("language").null_count < table.num_rows for table in tables)


def _plan_for(source: str, stages: Sequence[Stage]) -> Plan:
    """Plan stages over a corpus folder, or over any source that can be read."""
    from tamis.curate.plan import Plan, plan_files
    from tamis.run.corpus import is_corpus, open_corpus

    if is_corpus(source) or (Path(source) / ".work").is_dir():
        return Plan(tuple(stages), corpus=open_corpus(source))
    files, rejected = plan_files([source])
    return Plan(tuple(stages), tuple(files), tuple(rejected))


def _execute(plan: Plan, given: dict[str, Any]) -> int:
    """Run a plan and show its report on stderr."""
    from tamis.cli.progress import Progress
    from tamis.cli.show import summary
    from tamis.curate.pipeline import How, run_plan
    from tamis.text.cache import drop_stale, is_cold

    plan = replace(plan, form=given["form"], max_source_loss=given["max_source_loss"])
    say = notes_wanted(given["quiet"])
    package = Path(tamis.__file__).parent
    if drop_stale(package) or is_cold(package):
        say("first run: compiling the text kernels for this machine takes up to a minute, once")
    output = given["output"]
    with tempfile.TemporaryDirectory(prefix="tamis-") as scratch, Progress(given["quiet"]) as progress:
        target = scratch if output == "-" else output
        how = How(
            given["workers"], given["fresh"], progress, given.get("budget"), given["engine"], given["ray_address"]
        )
        report = run_plan(plan, target, how)
        if output == "-":
            _print_rows(target)
    summary(report, say, verbose=given["verbose"])
    return 0


def _print_rows(folder: str) -> None:
    """Write the kept rows of a corpus folder to stdout as JSON lines."""
    from tamis.run.corpus import open_corpus
    from tamis.storage import jsonl

    write: Callable[[bytes], int] = sys.stdout.buffer.write
    for table in open_corpus(folder).tables():
        write(jsonl(table))

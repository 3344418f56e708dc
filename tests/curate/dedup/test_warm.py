import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = """
import sys
from pathlib import Path
import pyarrow as pa
from numba.core.dispatcher import Dispatcher
from tamis.curate.dedup import MinhashDedup, greedy
from tamis.text import TextBatch, minhash, permutations, pieces, shingles, words
from tests.curate.dedup.conftest import apply, shards_of

modules = (words, shingles, minhash, greedy)
for module in modules:
    module.warm()
every = (*modules, permutations, pieces)
kernels = {name: one for module in every for name, one in vars(module).items() if isinstance(one, Dispatcher)}
before = {name: len(one.signatures) for name, one in kernels.items()}
assert sum(map(bool, before.values())) >= 14, before  # the others are compiled into these

text = " ".join(f"word{i}" for i in range(40))
rows = [{"id": str(i), "text": f"{text} end{i}", "url": None} for i in range(6)]
assert apply(MinhashDedup(threshold=0.8), shards_of(rows, 2), Path(sys.argv[1])).removed
batch = TextBatch(pa.array([text, None]))
words.word_tokens(batch), words.char_counts(batch), words.count_chars(batch), words.count_words(batch)
minhash.MinHasher().signatures(batch), minhash.MinHasher(scheme="legacy").signatures(batch)
after = {name: len(one.signatures) for name, one in kernels.items()}
assert after == before, {name: (before[name], after[name]) for name in after if after[name] != before[name]}
"""


def test_warming_compiles_every_kernel_that_work_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == 0, found.stderr

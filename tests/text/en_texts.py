"""Texts that try the ``en-spacy`` kernels: pieces that the rules treat differently, glued at random."""

import unicodedata

from hypothesis import strategies as st

from tamis.text.spacy_tables import lists

SIGNS = list(".,:;!?()[]{}<>'\"`-–—~#…$€£%°+*^=/@&_|§\\•«»“”‘’。！，、")
WORDS = [
    "the",
    "to",
    "of",
    "and",
    "be",
    "cat",
    "Cat",
    "CAT",
    "I",
    "a",
    "x",
    "10",
    "5",
    "2024",
    "3.14",
    "é",
    "É",
    "ß",
    "я",
    "Я",
]
ODD = [
    "日本",
    "한국",
    "٣",
    "१",
    "K",
    "İ",
    "ſ",
    "🎉",
    "𠀀",
    "\u0301",
    "\u200b",
    "\ufeff",
    "km",
    "US$",
    "'s",
    "’s",
    "n't",
    "...",
]
PHRASES = [
    "lorem",
    "ipsum",
    "javascript",
    "JavaScript",
    "terms of use",
    "privacy policy",
    "Cookie",
    "cooKies",
    "uses",
    "use",
]
CITATIONS = ["[1]", "[]", "[12]", "[edit]", "[citation needed]", "[citation", "needed]", "[٣]", "[x]", "foo[3].", "{"]
URLS = ["http://", "www.", "example.com", "x@y.org", ":8080", "/path?q=1", "1.2.3.4", "10.0.0.1", "192.168.1.9", "a.b"]
SPACES = [
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n\n",
    "  ",
    "\t",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1f",
    "\x85",
    "\xa0",
    "\u1680",
]
SPACES += ["\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"]

SAME_UNICODE = unicodedata.unidata_version == "14.0.0"  # that of the tables
characters = st.characters(exclude_categories=["Cs", "Co"]) if SAME_UNICODE else st.characters(max_codepoint=0x24F)
specials = st.sampled_from(sorted(lists().specials))
pieces = st.one_of(st.sampled_from(SIGNS + WORDS + ODD + PHRASES + CITATIONS + URLS), specials, characters)
chunks = st.lists(pieces, min_size=1, max_size=6).map("".join).map(lambda text: "".join(text.split())).filter(bool)
texts = st.lists(st.one_of(pieces, st.sampled_from(SPACES)), max_size=60).map("".join)
"""Anything: chunks of every kind, every white space."""
proses = st.lists(
    st.tuples(st.sampled_from([*WORDS, ".", "...", "-", "•", "!"]), st.sampled_from(SPACES[:8])), max_size=80
).map(lambda pairs: "".join(word + space for word, space in pairs))
"""Short words and few kinds of white space, so that lines, paragraphs and n-grams repeat."""

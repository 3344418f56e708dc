"""Numbers that the compiled kernels of the ``en-spacy`` view share: class bits, words of a chunk row, flags."""

from __future__ import annotations

import numpy as np

# Class bits of a code point, in the order written by scripts/make_spacy_tables.py.
PREFIX, SUFFIX, ICON, ALPHA, LOWER, UPPER, LOWER_OR_QUOTE, UPPER_OR_QUOTE = (np.uint32(1 << b) for b in range(8))
BEFORE_STOP, UNIT_END, DIGIT, ND, WORD, URL, PY_ALPHA, SYMBOL = (np.uint32(1 << b) for b in range(8, 16))
CATEGORY_P, SENTENCE_MARK, TERMINAL, HYPHEN, SPACE, INFIX = (np.uint32(1 << b) for b in range(16, 22))

# A chunk row is eight 64-bit words, one cache line. Two 32-bit counts share a word so that one addition sums both.
TOKEN = 0  # hash of the only token (unused where there are several)
ARENA = 1  # first token in the arena | tokens
SIZE = 2  # characters | bytes
WORDS = 3  # tokens with a character that is no symbol | their characters
LETTERS = 4  # tokens with a letter | '#' characters
DOTS = 5  # ellipses | flags (not a count: taken apart before adding)
STARTS = 6  # sentence starts added when entered outside | inside a finished sentence
HASH = 7  # hash of the bytes, compared on every look-up

# Flags of a chunk (upper half of word DOTS).
EXIT_OUT = 1 << 0  # a sentence is finished at the end, when entered outside a finished one
EXIT_IN = 1 << 1  # the same, when entered inside
BULLET = 1 << 2  # begins with • or -
ELLIPSIS_END = 1 << 3  # ends with ... or …
TERMINAL_END = 1 << 4  # last character is one of datatrove's terminal marks
C4_END = 1 << 5  # last character is one of . ? ! " '
DOTS_END = 1 << 6  # ends with ...
CITATION = 1 << 7  # may hold a citation or begin one
JAVASCRIPT = 1 << 8
CURLY = 1 << 9
# Parts of phrases, on the lower-case form; ENDS_* can be followed by BEGINS_* after exactly one U+0020.
ENDS_LOREM, ENDS_TERMS, ENDS_PRIVACY, ENDS_COOKIE, ENDS_USES, ENDS_USE = (1 << b for b in range(10, 16))
IS_OF = 1 << 16
BEGINS_IPSUM, BEGINS_USE, BEGINS_POLICY, BEGINS_COOKIES = (1 << b for b in range(17, 21))
STOP_SHIFT = 24  # bits 24..31: the chunk has this stop word as a token

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
FINISH = np.uint64(0xD6E8FEB86659FD93)
SEED = np.uint64(0x243F6A8885A308D3)

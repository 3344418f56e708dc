"""From a crawl to a corpus: readers, extraction, rules, deduplication."""

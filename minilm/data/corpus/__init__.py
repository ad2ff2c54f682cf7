"""From raw text to a corpus: the steps of SlimPajama as pure functions over many documents at once.

- `normalize`: NFC, and the bare text in which documents are compared;
- `shingles`: its runs of 13 characters as hashes;
- `minhash`: 128 numbers for a document, from which the likeness of two is estimated;
- `bands`: the documents that may be alike, without a comparison of all pairs;
- `duplicates`: the groups of documents that are alike, and the one of each that is kept.

Beside each fast version stands a plain one, which it must equal. `import minilm` and `minilm.data` do not load any of this.
"""

from minilm.data.components import connected_components
from minilm.data.corpus.bands import band_keys, bands_and_rows, buckets, probability
from minilm.data.corpus.duplicates import canonical_order, digest, jaccard, kept_of_groups, near_duplicates
from minilm.data.corpus.minhash import expected_error, one_permutation, signatures, similarity
from minilm.data.corpus.normalize import bare_codes, bare_text, content_lengths, nfc
from minilm.data.corpus.ragged import Ragged, batches
from minilm.data.corpus.shingles import shingle_hashes

__all__ = [
    "Ragged",
    "band_keys",
    "bands_and_rows",
    "bare_codes",
    "bare_text",
    "batches",
    "buckets",
    "canonical_order",
    "connected_components",
    "content_lengths",
    "digest",
    "expected_error",
    "jaccard",
    "kept_of_groups",
    "near_duplicates",
    "nfc",
    "one_permutation",
    "probability",
    "shingle_hashes",
    "signatures",
    "similarity",
]

"""From raw text to a corpus: the steps of SlimPajama as pure functions over many documents at once.

- `documents`: a document, what is kept aside instead of one, and both as lines of JSON;
- `partitions`: the files of a collection, large ones in ranges, for many workers;
- `reading`: files to documents, through `unpacking` and `lines`;
- `normalize`: NFC, and the bare text in which documents are compared;
- `shingles`: its runs of 13 characters as hashes;
- `minhash`: 128 numbers for a document, from which the likeness of two is estimated;
- `bands`: the documents that may be alike, without a comparison of all pairs;
- `duplicates`: the groups of documents that are alike, and the one of each that is kept;
- `quality`: rules that leave a document out, and the reason that each tells (`repetition`, `symbols`, `language`);
- `draws`: how often a document of each source is taken, and which groups are held out;
- `shuffle`: all in a random order, in two passes;
- `decontaminate`: what of the held-out and evaluation texts stands in a document;
- `packing`: tokens in windows of one length, or in files that are mapped into memory;
- `summary`: all numbers and examples of a run, which go to JSON and back (`records`) and add up (`flow`);
- `report`: one page of HTML that tells them (`page`, `differences`, `evidence`), and `card`, the data card.

Beside each fast version stands a plain one, which it must equal. `import minilm` and `minilm.data` do not load any of this.
"""

from minilm.data.components import connected_components
from minilm.data.corpus.bands import band_keys, bands_and_rows, buckets, probability
from minilm.data.corpus.decontaminate import contaminated, overlap, passage, runs_of
from minilm.data.corpus.documents import REASONS, Aside, Document, aside_of, document_of, json_line, tally
from minilm.data.corpus.draws import copies, held_out, weights_of
from minilm.data.corpus.duplicates import canonical_order, digest, jaccard, kept_of_groups, near_duplicates
from minilm.data.corpus.language import languages
from minilm.data.corpus.minhash import expected_error, one_permutation, signatures, similarity
from minilm.data.corpus.normalize import bare_codes, bare_text, content_lengths, nfc
from minilm.data.corpus.packing import windows, write_shards
from minilm.data.corpus.partitions import Piece, plan
from minilm.data.corpus.quality import RULES, Fault, Rule, broken, judge, measures
from minilm.data.corpus.ragged import Ragged, batches
from minilm.data.corpus.reading import read
from minilm.data.corpus.shingles import shingle_hashes
from minilm.data.corpus.shuffle import read_bucket, shuffle_keys, write_buckets

__all__ = [
    "REASONS",
    "RULES",
    "Aside",
    "Document",
    "Fault",
    "Piece",
    "Ragged",
    "Rule",
    "aside_of",
    "band_keys",
    "bands_and_rows",
    "bare_codes",
    "bare_text",
    "batches",
    "broken",
    "buckets",
    "canonical_order",
    "connected_components",
    "contaminated",
    "content_lengths",
    "copies",
    "digest",
    "document_of",
    "expected_error",
    "held_out",
    "jaccard",
    "json_line",
    "judge",
    "kept_of_groups",
    "languages",
    "measures",
    "near_duplicates",
    "nfc",
    "one_permutation",
    "overlap",
    "passage",
    "plan",
    "probability",
    "read",
    "read_bucket",
    "runs_of",
    "shingle_hashes",
    "shuffle_keys",
    "signatures",
    "similarity",
    "tally",
    "weights_of",
    "windows",
    "write_buckets",
    "write_shards",
]

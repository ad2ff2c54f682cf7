"""Data: readers of files, a table of data sets (`minilm.data.sets`), token files larger than memory, and batches.

Nothing here knows of tensors or tokenizers: what goes in and comes out is text and NumPy arrays.
"""

from .copies import WithoutCopies, fold_text, without_copies
from .errors import DataError
from .files import cache_dir
from .idx import read_idx, write_idx
from .loader import ArrayDataset, BatchDataset, DataLoader, default_collate
from .sets.fetch import get, is_here, list_datasets
from .sets.images import digits, load_images, mnist_5k
from .sets.python_text import docstrings, python_docs, python_docstrings
from .sets.table import TABLE, DataSet, describe
from .sets.text import iter_documents, iter_text, load_text
from .sets.url import fetch_url
from .sets.words import misspellings, spam_assassin, weat_words
from .split import Parts, split_indices, three_parts, train_test_split
from .tables import Table, load_table
from .tokens import TokenBlocks, TokenHeader, open_tokens, random_blocks, read_token_header, write_tokens

__all__ = [
    "TABLE",
    "ArrayDataset",
    "BatchDataset",
    "DataError",
    "DataLoader",
    "DataSet",
    "Parts",
    "Table",
    "TokenBlocks",
    "TokenHeader",
    "WithoutCopies",
    "cache_dir",
    "default_collate",
    "describe",
    "digits",
    "docstrings",
    "fetch_url",
    "fold_text",
    "get",
    "is_here",
    "iter_documents",
    "iter_text",
    "list_datasets",
    "load_images",
    "load_table",
    "load_text",
    "misspellings",
    "mnist_5k",
    "open_tokens",
    "python_docs",
    "python_docstrings",
    "random_blocks",
    "read_idx",
    "read_token_header",
    "spam_assassin",
    "split_indices",
    "three_parts",
    "train_test_split",
    "weat_words",
    "without_copies",
    "write_idx",
    "write_tokens",
]

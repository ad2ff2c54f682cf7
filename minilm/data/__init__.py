"""Data: readers of files, a table of data sets (`minilm.data.sets`), token files larger than memory, and batches.

Nothing here knows of tensors or tokenizers: what goes in and comes out is text and NumPy arrays.
"""

from .augment import shifted
from .copies import WithoutCopies, fold_text, without_copies
from .encoding import Encoding
from .errors import DataError
from .files import cache_dir
from .idx import read_idx, write_idx
from .loader import ArrayDataset, BatchDataset, DataLoader, default_collate
from .near_copies import near_copies
from .sets.bias import GenderWords, People, WordVectors, adult, gender_words, news_vectors
from .sets.bilingual import chinese_lexicon, human_rights
from .sets.dataset import DataSet
from .sets.debian import PackageDescription, PackageLinks, package_descriptions, package_links
from .sets.fetch import get, get_files, is_here, list_datasets
from .sets.images import digits, load_images, mnist, mnist_5k
from .sets.news import tagged_news
from .sets.python_text import docstrings, python_docs, python_docstrings
from .sets.questions import python_questions
from .sets.sentiment import DOMAINS, RatedSentence, movie_sentences, rated_sentences, shop_reviews
from .sets.software import software_catalogs
from .sets.table import TABLE, describe
from .sets.talk import small_talk
from .sets.text import iter_documents, iter_text, load_text
from .sets.url import fetch_url
from .sets.wordnet import GlossRelation, Synset, gloss_relations, wordnet_glosses, wordnet_nouns
from .sets.words import misspellings, spam_assassin, weat_words
from .split import Parts, split_indices, three_parts, train_test_split
from .tables import Table, load_table
from .tokens import TokenBlocks, TokenHeader, open_tokens, random_blocks, read_token_header, write_tokens

__all__ = [
    "DOMAINS",
    "TABLE",
    "ArrayDataset",
    "BatchDataset",
    "DataError",
    "DataLoader",
    "DataSet",
    "Encoding",
    "GenderWords",
    "GlossRelation",
    "PackageDescription",
    "PackageLinks",
    "Parts",
    "People",
    "RatedSentence",
    "Synset",
    "Table",
    "TokenBlocks",
    "TokenHeader",
    "WithoutCopies",
    "WordVectors",
    "adult",
    "cache_dir",
    "chinese_lexicon",
    "default_collate",
    "describe",
    "digits",
    "docstrings",
    "fetch_url",
    "fold_text",
    "gender_words",
    "get",
    "get_files",
    "gloss_relations",
    "human_rights",
    "is_here",
    "iter_documents",
    "iter_text",
    "list_datasets",
    "load_images",
    "load_table",
    "load_text",
    "misspellings",
    "mnist",
    "mnist_5k",
    "movie_sentences",
    "near_copies",
    "news_vectors",
    "open_tokens",
    "package_descriptions",
    "package_links",
    "python_docs",
    "python_docstrings",
    "python_questions",
    "random_blocks",
    "rated_sentences",
    "read_idx",
    "read_token_header",
    "shifted",
    "shop_reviews",
    "small_talk",
    "software_catalogs",
    "spam_assassin",
    "split_indices",
    "tagged_news",
    "three_parts",
    "train_test_split",
    "weat_words",
    "without_copies",
    "wordnet_glosses",
    "wordnet_nouns",
    "write_idx",
    "write_tokens",
]

"""Run by every kernel that ``minilm book`` starts, in the notebook's own namespace: it must leave no name behind."""

try:  # noqa: SIM105, another import would leave a name behind
    __import__("minilm.book.missing", fromlist=["install"]).install()
except ImportError:  # a kernel of another environment, which has no minilm
    pass

"""What several of these tests look at."""

import pytest

from tests.data.corpus.summaries import corpus, summary_of


@pytest.fixture(scope="session")
def summary():
    """The summary of a small corpus of which each step removes something, with texts that no page should believe."""
    return summary_of(**corpus())

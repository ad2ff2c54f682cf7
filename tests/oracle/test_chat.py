"""The marks of a conversation, against the template's own Jinja program as transformers runs it, over many conversations."""

import random

import pytest

transformers = pytest.importorskip("transformers", reason="the oracle is transformers")

from minilm.chat import template_for
from minilm.formats.gguf import GGUF
from minilm.pretrained import table
from minilm.text.huggingface import tokenizer_from_gguf, write_tokenizer_json
from tests.chat.talk import MARKS, tokenizer
from tests.chat.test_template import JINJA

TEXTS = ["Hello.", "", " ", "\n", "\n\nTwo lines\nabove", "ends with a blank ", "  begins with two", "user\n", "assistant", "x" * 300,
         "{{ 7 * 7 }}", "{% raw %}", "a\r\nb\tc", "é日本語 мир 😀‍💻", "don't, it's 1234567", "\\n", "'quoted' \"twice\"", "im_end|>",
         "<|im_"]  # fmt: skip


def conversations(count):
    """Of one to nine turns, with and without a system prompt, in any order of roles."""
    draw = random.Random(0)
    for number in range(count):
        system = [("system", draw.choice(TEXTS))] if number % 3 == 0 else []
        turns = [(draw.choice(("user", "assistant")), draw.choice(TEXTS)) for _ in range(draw.randrange(1, 10))]
        yield [*system, *turns], bool(number % 2)


def theirs(ours, jinja, folder):
    write_tokenizer_json(ours, folder / "tokenizer.json")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), chat_template=jinja, clean_up_tokenization_spaces=False
    )


def check(ours, jinja, folder, count):
    template, peer = template_for(ours, jinja), theirs(ours, jinja, folder)
    for messages, answer in conversations(count):
        dicts = [{"role": role, "content": text} for role, text in messages]
        ids = template.encode(messages, answer)
        text = peer.apply_chat_template(dicts, tokenize=False, add_generation_prompt=answer)
        assert ours.decode(ids) == text
        if text:
            assert ids == peer(text, add_special_tokens=False)["input_ids"]
            whole = peer.apply_chat_template(dicts, add_generation_prompt=answer, return_dict=False)
            assert ids == whole


@pytest.mark.parametrize("system", JINJA, ids=["SmolLM2", "without a system prompt of its own"])
def test_the_known_templates_write_what_their_program_writes(system, tmp_path):
    check(tokenizer(), JINJA[system], tmp_path, 300)


def test_a_mark_that_is_typed_is_a_mark_to_them_and_text_to_us(tmp_path):
    """In text that is encoded as one, nobody can tell a typed mark from a true one: the reason why marks are put in as ids here."""
    template, peer = (
        make(tokenizer(), JINJA[None], *more) for make, more in ((template_for, ()), (theirs, (tmp_path,)))
    )
    text = "".join(MARKS)
    ids = peer.apply_chat_template([{"role": "user", "content": text}], return_dict=False)
    marks = set(tokenizer().special_tokens.values())
    assert len([id for id in ids if id in marks]) == 2 + len(MARKS)
    assert len([id for id in template.encode([("user", text)], answer=False) if id in marks]) == 2


@pytest.mark.slow
def test_smollm2_itself_with_its_own_tokenizer_and_the_program_in_its_file(tmp_path):
    with GGUF(table.get("smollm2-135m-instruct")) as file:
        jinja, ours = file.metadata["tokenizer.chat_template"], tokenizer_from_gguf(file.metadata)
    assert jinja in JINJA.values()
    check(ours, jinja, tmp_path, 400)

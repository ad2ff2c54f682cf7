"""A language model is opened by what a user calls it."""

import pytest

from minilm.formats import FormatError
from minilm.models import GPT, Bert, BertConfig, GPTConfig
from minilm.pretrained import save
from minilm.text import BPETokenizer
from minilm.training.loop import train
from minilm.training.opening import open_language_model
from tests.tiny import TEXT, tiny_run

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("no_picture")]  # runs name their device


def test_a_run_of_ours(tmp_path):
    run, text = tiny_run(tmp_path)
    train(run, text, device="cpu", progress=False)
    opened = open_language_model(str(run.folder))
    assert opened.tokenizer.to_dict() == run.task.tokenizer(run.folder).to_dict()
    assert (opened.model.training, opened.name, opened.source) == (False, str(run.folder), str(run.folder))
    assert opened.chat_template is None


def test_a_folder_in_published_form(tmp_path):
    tokenizer = BPETokenizer.train(TEXT, vocab_size=270)
    save(GPT(GPTConfig(270, 8, 1, 2, 4)), tokenizer, tmp_path / "gpt", chat_template="{{ x }}")
    opened = open_language_model(str(tmp_path / "gpt"), storage="float32")
    assert opened.tokenizer.encode("To be") == tokenizer.encode("To be")
    assert (opened.model.training, opened.chat_template) == (False, "{{ x }}")


def test_what_is_no_language_model_and_what_has_no_tokenizer_is_told(tmp_path):
    save(Bert(BertConfig(11, 4, 1, 2, 8)), None, tmp_path / "bert")
    with pytest.raises(
        FormatError, match="bert holds a Bert, which does not predict the next token: choose a language model"
    ):
        open_language_model(str(tmp_path / "bert"))
    save(GPT(GPTConfig(11, 8, 1, 2, 4)), None, tmp_path / "gpt")
    with pytest.raises(FormatError, match=r"gpt has no tokenizer: copy the tokenizer\.json"):
        open_language_model(str(tmp_path / "gpt"))

"""Folders of published models: what is in them, and what is wrong with them."""

import json

import numpy as np
import pytest

import minilm as ml
from minilm.data import DataError
from minilm.formats import FormatError, safetensors
from minilm.models import GPT, MLP, GPTConfig, Llama, LlamaConfig
from minilm.pretrained import load, save
from minilm.pretrained.load import INDEX, is_run, read_weights
from minilm.pretrained.table import TABLE
from minilm.text import CharTokenizer, TokenizerError
from minilm.text.added import AddedToken
from minilm.text.published_bpe import PublishedBPETokenizer, spelled

pytestmark = pytest.mark.host
IDS = np.arange(8)[None]
BYTES = [spelled(bytes([byte])) for byte in range(256)]


@pytest.fixture
def model():
    ml.random.manual_seed(0)
    return GPT(GPTConfig(11, 8, 2, 2, 4, dropout=0.5))


@pytest.fixture
def folder(model, tmp_path):
    save(model, None, tmp_path / "folder")
    return tmp_path / "folder"


def edit(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for name, value in changes.items():
        config[name] = value
        if value is None:
            del config[name]
    path.write_text(json.dumps(config))


def shard(folder, **changes):
    """The weights in two files with an index."""
    arrays = safetensors.read(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(sorted(arrays))}
    for file in set(places.values()):
        safetensors.write(folder / file, {name: arrays[name] for name, place in places.items() if place == file})
    index = {"metadata": {"total_size": 1}, "weight_map": {**places, **changes}}
    (folder / INDEX).write_text(json.dumps(index))
    return arrays


def test_what_was_saved_comes_back_in_evaluation_mode(model, folder):
    opened = load(folder)
    assert not opened.model.training
    assert opened.tokenizer is None
    assert opened.source == str(folder)
    assert load(str(folder)).model.config == model.config
    with ml.no_grad():
        np.testing.assert_array_equal(opened.model(IDS).numpy(), model.eval()(IDS).numpy())


def test_the_family_is_known_by_its_classes_too(folder):
    edit(folder, model_type=None)
    assert type(load(folder).model) is GPT


def test_nothing_is_overwritten(model, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match="is not empty"):
        save(model, None, folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_without_a_published_form_is_named(tmp_path):
    with pytest.raises(FormatError, match="no published form for a MLP; there is one for GPT"):
        save(MLP((2, 2)), None, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mamba"}, r"config\.json is of a model of type 'mamba'; known here are bert, gpt2"),
        ({"model_type": ["gpt2"]}, "names no model_type"),
        ({"model_type": None, "architectures": None}, "names no model_type"),
        ({"model_type": None, "architectures": ["MambaForCausalLM"]}, "of type 'MambaForCausalLM'"),
        ({"model_type": None, "architectures": [5]}, "names no model_type"),
        ({"n_layer": 3}, "says n_layer 3, the weights have 2 layers"),
        ({"n_head": "2"}, "n_head should be a whole number"),
    ],
)
def test_config_json_that_cannot_be_used_is_named(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(FormatError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1, "a": 2}', b"\xff", b'{"a": NaN}', b"[" * 10**5])
def test_config_json_that_is_no_json_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"config\.json"):
        load(folder)


def test_the_folder_of_a_run_is_told_apart(folder):
    (folder / "config.json").write_text(json.dumps({"format": "minilm run", "version": 3}))
    with pytest.raises(FormatError, match="is the folder of a run that was trained here"):
        load(folder)


def test_weights_in_several_files(model, folder):
    shard(folder)
    with ml.no_grad():
        np.testing.assert_array_equal(load(folder).model(IDS).numpy(), model.eval()(IDS).numpy())


@pytest.mark.parametrize("place", [
    "../model.safetensors", "/etc/passwd", "a/b.safetensors", "C:b.safetensors", "a\\b.safetensors", "b.bin", 5, None])  # fmt: skip
def test_an_index_that_leads_elsewhere_is_refused(folder, place):
    shard(folder, **{"transformer.wte.weight": place})
    with pytest.raises(FormatError, match="weight_map should name a file of its folder"):
        load(folder)


def test_an_index_that_belongs_to_other_files_is_refused(folder):
    arrays = shard(folder, extra="model-00001-of-00002.safetensors")
    with pytest.raises(FormatError, match="model-00001-of-00002.safetensors lacks the array 'extra'"):
        read_weights(folder)
    index = json.loads((folder / INDEX).read_text())
    del index["weight_map"]["extra"], index["weight_map"][min(arrays)]
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(FormatError, match="model-00001-of-00002.safetensors has the array"):
        read_weights(folder)


def test_a_missing_part_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FormatError, match=r"there is no file .*model-00002-of-00002\.safetensors"):
        load(folder)


@pytest.mark.parametrize("weight_map", [None, [], {}, "x", {"a": {}}])
def test_an_index_without_places_is_refused(folder, weight_map):
    shard(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(FormatError, match="weight_map should name"):
        load(folder)


def test_a_pickled_file_is_not_opened(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"has no model\.safetensors and no model\.safetensors\.index\.json\.$"):
        load(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FormatError, match=r"pytorch_model\.bin is not read: opening it can run code"):
        load(folder)


def test_damaged_weights_are_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"model\.safetensors is not a whole"):
        load(folder)


def test_a_name_that_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no folder or file smollm2 .*Did you mean smollm2-135m-instruct"):
        load("smollm2")
    with pytest.raises(DataError, match="no folder or file"):
        load(tmp_path / "missing")
    with pytest.raises(TypeError, match="expected the path"):
        load(5)


def test_a_file_that_is_no_model_is_named(folder):
    with pytest.raises(FormatError, match=r"model\.safetensors is no GGUF file .* Give its folder"):
        load(folder / "model.safetensors")
    (folder.parent / "empty").touch()
    with pytest.raises(FormatError, match="is no GGUF file"):
        load(folder.parent / "empty")


@pytest.fixture
def llama_folder(tmp_path):
    """A tiny Llama with its tokenizer, roles and chat template."""
    tokenizer = PublishedBPETokenizer(
        [*BYTES, "<|end|>", "<|pad|>"], [], roles={"eos": 256, "pad": 257},
        added_tokens=[AddedToken("<|end|>", 256), AddedToken("<|pad|>", 257)],
    )  # fmt: skip
    ml.random.manual_seed(0)
    config = LlamaConfig(260, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    save(Llama(config).eval(), tokenizer, tmp_path / "llama", chat_template="{{ messages }}")
    return tmp_path / "llama"


def test_tokenizer_roles_and_template_come_back(llama_folder):
    opened = load(llama_folder)
    assert opened.tokenizer.roles == {"eos": 256, "pad": 257}
    assert opened.tokenizer.encode("é") == [0xC3, 0xA9]
    assert opened.chat_template == "{{ messages }}"
    (llama_folder / "chat_template.jinja").write_text("{{ of_its_own }}")
    assert load(llama_folder).chat_template == "{{ of_its_own }}"
    config = json.loads((llama_folder / "config.json").read_text())
    assert (config["eos_token_id"], config["pad_token_id"], config["bos_token_id"]) == (256, 257, None)


def test_a_tokenizer_of_another_model_is_refused(llama_folder):
    arrays = safetensors.read(llama_folder / "model.safetensors")
    arrays["model.embed_tokens.weight"] = arrays["model.embed_tokens.weight"][:200]
    arrays["lm_head.weight"] = arrays["lm_head.weight"][:200]
    safetensors.write(llama_folder / "model.safetensors", arrays)
    edit(llama_folder, vocab_size=200)
    with pytest.raises(FormatError, match="the tokenizer has 258 tokens, config.json 200"):
        load(llama_folder)


def test_a_model_smaller_than_its_tokenizer_is_not_written(llama_folder, model, tmp_path):
    with pytest.raises(FormatError, match="the tokenizer has 258 tokens, the model 11"):
        save(model, load(llama_folder).tokenizer, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_save_that_fails_leaves_nothing(llama_folder, tmp_path):
    opened = load(llama_folder)
    characters = CharTokenizer.train("abc")
    with pytest.raises(TokenizerError, match="has no model for a CharTokenizer"):
        save(opened.model, characters, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    opened.model.embed_tokens.weight.data = opened.model.embed_tokens.weight.data + np.float32(1e6)
    (tmp_path / "there").mkdir()
    with pytest.raises(FormatError, match="F16 cannot hold"):
        save(opened.model, opened.tokenizer, tmp_path / "there", "F16")
    assert not list((tmp_path / "there").iterdir())
    with pytest.raises(FormatError, match="written as F32, F16, BF16, not as 'F8'"):
        save(opened.model, opened.tokenizer, tmp_path / "new", "F8")


def test_storages(llama_folder):
    ids = np.arange(8)[None]
    with ml.no_grad():
        exact = load(llama_folder).model(ids).numpy()
        near = load(llama_folder, storage="float16").model(ids).numpy()
    assert 0 < np.abs(near - exact).max() < 1e-2 * np.abs(exact).max()
    with pytest.raises(FormatError, match="has no blocks: only a GGUF file has"):
        load(llama_folder, storage="blocks")
    with pytest.raises(ValueError, match="there is no storage 'int3'; there are float32"):
        load(llama_folder, storage="int3")


def test_is_run(folder, tmp_path):
    assert not is_run(folder)
    assert not is_run(tmp_path / "missing")
    (folder / "config.json").write_text(json.dumps({"format": "minilm run"}))
    assert is_run(folder)


# -- the published models themselves ---------------------------------------------------------------------------------------


def fetched(name):
    try:
        return load(name)
    except DataError as error:
        pytest.skip(f"needs the package's files, and there is no network: {str(error).splitlines()[0]}")


@pytest.mark.slow
def test_all_minilm_is_opened_by_its_name():
    opened = fetched("all-MiniLM-L6-v2")
    assert opened.model.num_parameters() == TABLE["all-minilm-l6-v2"].parameters
    assert opened.source.startswith("all-minilm-l6-v2 (")
    assert opened.tokenizer.encode("Hello, world!") == [7592, 1010, 2088, 999]


@pytest.mark.slow
def test_smollm2_is_opened_by_its_name_and_written_as_a_folder(tmp_path):
    opened = fetched("smollm2-135m-instruct")
    assert opened.model.num_parameters() == TABLE["smollm2-135m-instruct"].parameters
    assert opened.tokenizer.eos_id == opened.tokenizer.special_tokens["<|im_end|>"]
    assert "<|im_start|>" in opened.chat_template
    ids = opened.tokenizer.encode("The capital of France is")
    assert opened.tokenizer.decode(opened.model.generate([ids], 1, temperature=0)[0]) == " Paris"
    save(opened.model, opened.tokenizer, tmp_path / "folder", "BF16", opened.chat_template)
    again = load(tmp_path / "folder")
    assert again.tokenizer.encode("The capital of France is") == ids
    assert (again.tokenizer.roles, again.chat_template) == (opened.tokenizer.roles, opened.chat_template)
    for p, q in zip(again.model.parameters(), opened.model.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=2**-8)

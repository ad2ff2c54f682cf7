"""What the readers and the writer of tokenizer.json share: components with checked fields, vocabularies, templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minilm.strict_json import short
from minilm.text.added import AddedToken
from minilm.text.pairs import Pair
from minilm.text.storage import TokenizerError

Fields = dict[str, Any]

ANYTHING = ("anything",)  # for fields that do not change what is read


BYTE_LEVEL = {"add_prefix_space": (True, False), "trim_offsets": (True, False), "use_regex": (True, False)}


def options_of(component: Any, name: str, kind: str, **allowed: Sequence[Any]) -> Fields:
    """The fields of a component of type `kind`, each with one of the allowed values, of which the first is the default.

    Raises TokenizerError, naming the component, for another type, an unknown field, or another value.
    """
    if type(component) is not dict or component.get("type", kind) != kind:
        raise TokenizerError(f"{name} {_type_of(component)} is not supported here; {kind} is")
    unknown = set(component) - set(allowed) - {"type"}
    if unknown:
        raise TokenizerError(f"{name} {kind} has the field {short(min(unknown))}, which is not supported")
    found = {option: component.get(option, values[0]) for option, values in allowed.items()}
    for option, values in allowed.items():
        value = found[option]
        if values is not ANYTHING and not any(type(value) is type(one) and value == one for one in values):
            choice = " or ".join(map(repr, values))
            raise TokenizerError(f"{name} {kind} has {option} = {short(value)}, which is not supported; {choice} is")
    return found


def _type_of(component: Any) -> str:
    return short(component.get("type") if type(component) is dict else component)


def in_sequence(component: Any, name: str, inner: str) -> list[Any]:
    """The members of a component that may be null, one, or a Sequence of some."""
    if component is None:
        return []
    if type(component) is dict and component.get("type") == "Sequence":
        members = options_of(component, name, "Sequence", **{inner: ANYTHING})[inner]
        if type(members) is not list:
            raise TokenizerError(f"{name} Sequence must have a list {inner!r}, got {short(members)}")
        return members
    return [component]


# ---- the vocabulary


def added_tokens_of(fields: Fields) -> list[AddedToken]:
    added = []
    types = {"id": int, "content": str} | dict.fromkeys(
        ("special", "lstrip", "rstrip", "single_word", "normalized"), bool
    )
    entries = fields.get("added_tokens")
    if entries is not None and type(entries) is not list:
        raise TokenizerError(f"added_tokens must be a list, got {short(entries)}")
    for position, entry in enumerate(entries or []):
        if type(entry) is not dict or {name: type(value) for name, value in entry.items()} != types:
            raise TokenizerError(
                f"added token {position} must have the fields {list(types)}, of types int, str and bool"
            )
        added.append(AddedToken(entry["content"], **{name: entry[name] for name in types if name != "content"}))
    return added


def in_order(vocab: Any, added: Sequence[AddedToken]) -> list[str]:
    """The token of each id, from the model's vocabulary and the added tokens."""
    if type(vocab) is not dict:
        raise TokenizerError(f"model must have an object 'vocab' of tokens and ids, got {short(vocab)}")
    by_id: dict[int, str] = {}
    for token, id in [*vocab.items(), *((token.name, token.id) for token in added)]:
        if type(id) is not int or id < 0:
            raise TokenizerError(f"the token {short(token)} has the id {short(id)}; an id is an integer of at least 0")
        if by_id.setdefault(id, token) != token:
            raise TokenizerError(f"the id {id} has two tokens, {short(by_id[id])} and {short(token)}")
    seen: dict[str, int] = {}
    for id, token in by_id.items():
        if seen.setdefault(token, id) != id:
            raise TokenizerError(f"the token {short(token)} has two ids, {seen[token]} and {id}")
    if by_id and max(by_id) != len(by_id) - 1:
        missing = next(id for id in range(len(by_id)) if id not in by_id)
        raise TokenizerError(
            f"has no token for the id {missing}, though ids go to {max(by_id)}: ids must have no holes"
        )
    return [by_id[id] for id in range(len(by_id))]


def merges_of(entries: Any, tokens: Sequence[str]) -> list[Pair]:
    """A list of "a b" or ["a", "b"] as pairs of ids."""
    if type(entries) is not list:
        raise TokenizerError(f"merges must be a list, got {short(entries)}")
    ids = {token: id for id, token in enumerate(tokens)}
    pairs = []
    for rank, entry in enumerate(entries):
        pair = entry.split(" ") if type(entry) is str else entry
        if type(pair) is not list or [type(part) for part in pair] != [str, str]:
            raise TokenizerError(
                f"merge {rank} must be two tokens with a space between, or a list of two, got {short(entry)}"
            )
        absent = [part for part in pair if part not in ids]
        if absent:
            raise TokenizerError(f"merge {rank} names the token {short(absent[0])}, which the vocabulary has not")
        pairs.append((ids[pair[0]], ids[pair[1]]))
    return pairs


def special_piece(name: str, segment: int) -> Fields:
    return {"SpecialToken": {"id": name, "type_id": segment}}


SEQUENCE_A: Fields = {"Sequence": {"id": "A", "type_id": 0}}
SEQUENCE_B: Fields = {"Sequence": {"id": "B", "type_id": 1}}
BERT_SINGLE = [special_piece("[CLS]", 0), SEQUENCE_A, special_piece("[SEP]", 0)]
BERT_PAIR = [*BERT_SINGLE, SEQUENCE_B, special_piece("[SEP]", 1)]


def template_ids(special_tokens: Any, tokens: Sequence[str]) -> dict[str, int]:
    """The ids of a template's special tokens, each one id that the vocabulary has for it, too."""
    if type(special_tokens) is not dict:
        raise TokenizerError(
            f"post_processor TemplateProcessing has special_tokens = {short(special_tokens)}, not an object"
        )
    ids = {}
    for name, entry in special_tokens.items():
        if name not in tokens or entry != {"id": name, "ids": [tokens.index(name)], "tokens": [name]}:
            raise TokenizerError(
                f"post_processor TemplateProcessing has {short(entry)} for {short(name)}, which is not what the vocabulary has"
            )
        ids[name] = tokens.index(name)
    return ids

"""GGUF files made byte by byte, as the format's text says, without minilm: each field may be given another value."""

import struct

TYPES = {
    "u1": 0,
    "i1": 1,
    "u2": 2,
    "i2": 3,
    "u4": 4,
    "i4": 5,
    "f4": 6,
    "bool": 7,
    "str": 8,
    "list": 9,
    "u8": 10,
    "i8": 11,
    "f8": 12,
}
FORMATS = {
    "u1": "B",
    "i1": "b",
    "u2": "H",
    "i2": "h",
    "u4": "I",
    "i4": "i",
    "f4": "f",
    "bool": "B",
    "u8": "Q",
    "i8": "q",
    "f8": "d",
}


class Maker:
    """Collects bytes, and where each number that says something about the file stands: (place, format, what)."""

    def __init__(self):
        self.content = bytearray()
        self.fields = []

    def number(self, form, value, what):
        self.fields.append((len(self.content), form, what))
        self.content += struct.pack("<" + form, value)

    def string(self, text, what):
        content = text if isinstance(text, bytes) else text.encode()
        self.number("Q", len(content), f"length of {what}")
        self.content += content

    def value(self, kind, value, what):
        if kind == "str":
            self.string(value, what)
        elif kind == "list":
            inner, values = value
            self.number("I", TYPES[inner], f"type in {what}")
            self.number("Q", len(values), f"count of {what}")
            for item in values:
                self.value(inner, item, what)
        else:
            self.number(FORMATS[kind], value, what)

    def pad(self, alignment):
        self.content += bytes(-len(self.content) % alignment)


def make(settings, tensors, *, version=3, alignment=32, mark=b"GGUF"):
    """A file, and its fields.

    `settings` are (name, type, value), a list's value (type of its values, values); `tensors` are (name, sizes innermost first,
    code, content), or with an offset behind.
    """
    maker = Maker()
    maker.content += mark
    maker.number("I", version, "version")
    maker.number("Q", len(tensors), "count of tensors")
    maker.number("Q", len(settings), "count of settings")
    for name, kind, value in settings:
        maker.string(name, "name of a setting")
        maker.number("I", TYPES.get(kind, 99), "type of a setting")
        maker.value(kind if kind in TYPES else "u4", value, name)
    at = 0
    for name, sizes, code, content, *given in tensors:
        maker.string(name, "name of a tensor")
        maker.number("I", len(sizes), "count of sizes")
        for size in sizes:
            maker.number("Q", size, "size")
        maker.number("I", code, "block type")
        maker.number("Q", given[0] if given else at, "offset")
        at += len(content) + -len(content) % alignment
    for *_, content in (tensor[:4] for tensor in tensors):
        maker.pad(alignment)
        maker.content += content
    return bytes(maker.content), maker.fields

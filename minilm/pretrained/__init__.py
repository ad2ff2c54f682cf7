"""Published weights: the names and layouts that they have elsewhere, the models of this engine that they fit, and a table of some.

`load` opens a model of the table, a folder in Hugging Face's form or a GGUF file; `save` writes such a folder. Each family has a file
with its names: `bert`, `gpt2`, `llama`, `t5`.
"""

from minilm.pretrained.load import Pretrained, load, save

__all__ = ["Pretrained", "load", "save"]

"""The capstone of the book (chapter 10): raw text, pipeline, tokenizer, pretraining, evaluation, fine-tuning, generation, in one folder.

It adds nothing to what there is but the order: `raw` writes the text, `minilm.data.corpus` makes a corpus of it, `training` trains on it
twice, `surprise` measures, `steps` is the way from one to the next, and `report` tells of it.
"""

from minilm.capstone.steps import SIZES, Capstone, Size, Stopped

__all__ = ["SIZES", "Capstone", "Size", "Stopped"]

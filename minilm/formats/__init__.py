"""Files of weights that other programs wrote: GGUF with its quantized blocks, and safetensors.

Nothing here knows of tensors or models: what goes in and comes out is names and NumPy arrays. The readers trust nothing of
a file: each size, offset and count is checked before memory is asked for, and what is wrong raises a FormatError.
"""

from .errors import FormatError

__all__ = ["FormatError"]

"""The one error of this package."""


class FormatError(ValueError):
    """A file of weights that is missing, damaged, or not what it should be. The message names it and says what to do."""

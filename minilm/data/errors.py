"""The one error of this package."""


class DataError(ValueError):
    """Data that is missing, damaged or of another form than asked for. The message names it and says what to do."""

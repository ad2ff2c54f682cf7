"""What every score must hold: of a draw it is the same number as of the examples that the draw has, each so often."""

import numpy as np


def check_draws(make, *columns, draws=20, seed=0):
    """`make` of the columns gives a score; of the columns' entries, repeated as drawn, it must give the same number.

    A draw of which `make` says that nothing can be measured has no number.
    """
    score = make(*columns)
    n = len(columns[0])
    assert score.n == n
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)
    found = score.of_draws(times.astype(np.float64))
    for row, number in zip(times, found, strict=True):
        drawn = [[column[i] for i in np.repeat(np.arange(n), row)] for column in columns]
        try:
            expected = make(*drawn).value
        except ValueError:
            expected = np.nan
        np.testing.assert_allclose(number, expected, rtol=1e-9, atol=1e-12)
    return found

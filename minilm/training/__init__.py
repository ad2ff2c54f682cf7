"""Training: the loop, what it trains, and the folder that a run keeps, exact to the bit after every interruption."""

"""Published weights: the names and layouts that they have elsewhere, and the models of this engine that they fit."""

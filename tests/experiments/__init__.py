"""Experiments that the chapters quote and that take longer than a notebook may: a module each, with a function `measure`."""

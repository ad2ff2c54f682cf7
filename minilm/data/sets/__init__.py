"""The table of data sets: what each is (`table`), how its files are had (`fetch`, `url`), and a reader for each.

The formats themselves (text, tables, idx, catalogs of messages) are read in `minilm.data`, which tells no set from another.
"""

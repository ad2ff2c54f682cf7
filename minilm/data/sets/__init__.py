"""The table of data sets: what each is (`table`), how its file is had (`fetch`, `url`), and what reads it (`images`, `text`, `words`).

The formats themselves (text, tables, idx) are read in `minilm.data`, which tells no set from another.
"""

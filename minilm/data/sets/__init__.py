"""The table of data sets, how their files are had, and their readers."""

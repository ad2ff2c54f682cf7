"""Attention by hand: the tiny GPT that a page of chapter 4 carries, and what is made of it for the page."""

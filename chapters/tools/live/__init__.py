"""Python in the book's pages: what they need to run cells and to grade exercises in the browser, without a server."""

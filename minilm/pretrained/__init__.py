"""Published weights: other libraries' names and layouts, and ours."""

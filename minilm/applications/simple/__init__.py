"""The simple methods beside the applications: well-kept libraries compute them (the extra `compare`), imported at their first use."""

"""The command line for the applications: ``minilm task``."""

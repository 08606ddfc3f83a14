"""Configurations: read, checked, and turned into what the pipeline is made from."""

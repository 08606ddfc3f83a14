"""Spans without an SDK, or with one; the trace in and out of headers."""

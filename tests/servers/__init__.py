"""Real servers for the tests: each is started on demand, on loopback, and dies with the test run.

`plugin` holds the fixtures. Nothing here starts, builds or downloads anything at import.
"""

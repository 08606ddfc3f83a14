"""A Flask application that knows only ``logging``; one ``dictConfig`` does the rest.

``cd examples && gunicorn --preload --workers 2 flask_app:app`` (``pip install flask gunicorn``). The
configuration is loaded once, in gunicorn's master; each worker gets a spool and delivery threads
of its own after the fork, and all write to one file.
"""

import logging
import os
from typing import Any

import flask

from otel_stdlib import WSGITraceMiddleware, load_dict_config

load_dict_config("flask_logging.yaml")
log = logging.getLogger("shop")

app = flask.Flask("shop")
# The caller's ``traceparent`` becomes the trace of everything that a request logs.
app.wsgi_app = WSGITraceMiddleware(app.wsgi_app)  # type: ignore[method-assign]


@app.get("/price/<float:base>")
def price(base: float) -> dict[str, Any]:
    """A price."""
    log.info("price of %s asked", base, extra={"base": base, "worker": os.getpid()})
    return {"price": round(base * 1.19, 2), "worker": os.getpid()}

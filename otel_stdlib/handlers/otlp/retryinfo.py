"""The pause that a gRPC server asks for: ``google.rpc.RetryInfo`` in ``google.rpc.Status``. Pure."""

from __future__ import annotations

__all__ = ["retry_delay"]

_MOST = 1e9


def retry_delay(status: bytes) -> float | None:
    """Seconds, 0 where none are given; None where there is no ``RetryInfo``, or nothing that can be read."""
    # Here, as the package's import needs no driver.
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    info = RetryInfo()
    try:
        for detail in Status.FromString(status).details:
            if detail.Unpack(info):
                delay = info.retry_delay
                seconds: float = delay.seconds + delay.nanos / 1e9
                return seconds if 0 <= seconds < _MOST else 0.0
    except DecodeError:
        pass
    return None

"""A function whose calls are spans: ``cd examples && python tracing.py``."""

from otel_stdlib import configure_logger, log_info, otel_trace

logger = configure_logger(config_file="logger_config.yaml")


@otel_trace(operation_name="calculate_price", correlation_id="req-001")
def calculate_price(base_price: float, discount: float = 0.0) -> float:
    """Calculate a discounted price; what is logged inside belongs to the span."""
    log_info("Calculating", base_price=base_price, discount=discount)
    return base_price * (1 - discount)


result = calculate_price(100.0, 0.15)
print(f"Calculated price: ${result}")

logger.close()

"""An application for the tests: logs numbered records as ``dictConfig`` says, until it is told or killed.

Arguments: a file with the configuration as JSON, the first number, how many records, and what
to do at the end: ``exit``, ``kill`` or ``wait``. Prints each number after its log call returned.
"""

import json
import logging
import logging.config
import os
import signal
import sys
import time


def main() -> None:
    """Configure, log, end."""
    with open(sys.argv[1], encoding="utf-8") as file:
        logging.config.dictConfig(json.load(file))
    first, amount, end = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    log = logging.getLogger("shop.orders")
    for number in range(first, first + amount):
        log.info("order %d placed", number, extra={"number": number})
        sys.stdout.write(f"{number}\n")
        if number % 50 == 0:
            sys.stdout.flush()
            time.sleep(0.001)
    sys.stdout.flush()
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "wait":
        time.sleep(300)


if __name__ == "__main__":
    main()

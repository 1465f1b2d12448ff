"""A service of the standard library alone, for images and machines without packages: `shop.py PORT VERSION`.

Every answer says the version in `X-Version`. 1.2.0 fails half of its requests, and `/healthz` of 1.3.0 begins to fail
after three seconds.
"""

import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

PORT, VERSION = int(sys.argv[1]), sys.argv[2]
BEGAN = time.monotonic()
REQUESTS = count()


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/healthz":
            ill = VERSION == "1.3.0" and time.monotonic() - BEGAN > 3
            self.answer(503 if ill else 200)
        else:
            self.answer(500 if VERSION == "1.2.0" and next(REQUESTS) % 2 else 200)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("X-Version", VERSION)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing: a line for each request would be noise."""


class ShopServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the first process of a container has no default
    ShopServer(("", PORT), Shop).serve_forever()

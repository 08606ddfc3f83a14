#!/usr/bin/env bash
# urllib3 2.8.0, Timeout(total=T), a host name with two addresses of which the first one accepts no connection.
#
# Seen: each address may take all of T to connect, so the first one uses it up. The second one then connects, the request
# is sent in full, and the limit for its answer is what is left of T: 0. The server has the request, the client reports a
# read time-out at once. Whoever sends again on a time-out gives the server every request again and again, and never
# gets an answer. With Timeout(connect=T, read=T) the same request is answered.
# Source of the arithmetic: urllib3.util.Timeout.read_timeout, urllib3.util.connection.create_connection.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check urllib3==2.8.0
"$work/venv/bin/python" - <<'PY'
import errno, http.server, socket, threading, time
import urllib3

got = []

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got.append(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(0.05)
        try:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
        except OSError:
            pass  # the client has gone

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port

# An address that answers nothing: its queue of connections is full.
silent = socket.socket()
silent.bind(("127.0.0.9", port))
silent.listen(0)
waiting = [socket.socket() for _ in range(8)]
for each in waiting:
    each.setblocking(False)
    assert each.connect_ex(("127.0.0.9", port)) in (0, errno.EINPROGRESS)

real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *given, **more: (
    [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("127.0.0.9", "127.0.0.1")]
    if host == "collector.test" else real(host, *given, **more)
)

def send(timeout):
    got.clear()
    try:
        answer = urllib3.PoolManager().request(
            "POST", f"http://collector.test:{port}/", body=b"record", timeout=timeout, retries=False
        ).status
    except urllib3.exceptions.HTTPError as error:
        answer = type(error).__name__
    deadline = time.monotonic() + 5
    while not got and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer, len(got)

total = send(urllib3.Timeout(total=1.0))
apart = send(urllib3.Timeout(connect=1.0, read=1.0))
print("urllib3", urllib3.__version__)
print("total=1           -> client:", total[0], "| requests that the server has:", total[1])
print("connect=1, read=1 -> client:", apart[0], "| requests that the server has:", apart[1])
assert total == ("ReadTimeoutError", 1), total
assert apart == (200, 1), apart
PY

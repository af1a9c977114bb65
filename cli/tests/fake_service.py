"""Stands in for a service: answers `/readyz` on its health port, and misbehaves as the variable FAKES says."""

import http.server
import json
import os
import signal
import subprocess
import sys

_ROOM = "import setproctitle, signal; setproctitle.setproctitle('roomscribe: room mtg_one (acme)'); signal.pause()"


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = how != "never ready"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"{}" if ready else b'{"model": "missing"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


def end(number: int, frame: object) -> None:
    sys.exit(0)


how = json.loads(os.environ.get("FAKES", "{}")).get(__package__, "")
print(f"{__package__} starts as process {os.getpid()}", flush=True)
if how == "fails":
    sys.exit("ROOMSCRIBE_STT_ENGINE: there is no engine named parrot")
if how == "ignores SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, end)
if how == "holds a room":
    subprocess.Popen([sys.executable, "-c", _ROOM])
http.server.HTTPServer(("127.0.0.1", int(os.environ["ROOMSCRIBE_HEALTH_PORT"])), Answers).serve_forever()

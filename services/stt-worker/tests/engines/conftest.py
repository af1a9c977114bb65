"""A real HTTP server that transcribes what is posted to it, with Moonshine behind it."""

import io
import json
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip

from ..conftest import Spoken, words  # noqa: TID252  # tests have no absolute name under importlib mode

__all__ = ["Server", "Spoken", "words"]


@dataclass
class Request:
    """What the server was sent."""

    path: str
    authorization: str | None
    form: dict[str, str]
    samples: int


@dataclass
class Server:
    """`answers` are given in turn before it transcribes: a status, and a body if the server is to say that."""

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    answers: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    hold: threading.Event = field(default_factory=threading.Event)
    """While cleared, nothing is answered."""


def form_of(headers: str, body: bytes) -> dict[str, bytes]:
    message = message_from_bytes(f"Content-Type: {headers}\r\n\r\n".encode() + body, policy=policy.HTTP)
    found: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found[name] = payload
    return found


def samples_of(data: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return (np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768).astype(np.float32)


@pytest.fixture
def openai_server(moonshine: Moonshine) -> Iterator[Server]:
    server = Server()
    server.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = form_of(self.headers["Content-Type"], body)
            samples = samples_of(form.pop("file"))
            fields = {name: value.decode() for name, value in form.items()}
            server.requests.append(Request(self.path, self.headers["Authorization"], fields, len(samples)))
            server.hold.wait(10)
            status, answer = server.answers.pop(0) if server.answers else (200, b"")
            answer = answer or self.transcription(samples)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def transcription(self, samples: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> bytes:
            heard = moonshine.transcribe([Clip(samples)])[0]
            segment = {
                "text": f" {heard.text}",
                "avg_logprob": float(np.log(heard.confidence or 1)),
                "no_speech_prob": 0.1,
            }
            return json.dumps({"text": heard.text, "language": "english", "segments": [segment]}).encode()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.hold.set()
        http.shutdown()
        thread.join(5)

"""A server on a real port that speaks the wire format of OpenAI's chat completions, with answers set beforehand."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One HTTP answer. `arguments` is what the model calls the tool with: JSON, or text that is none."""

    arguments: str = "{}"
    status: int = 200
    hang: bool = False

    def body(self) -> bytes:
        call = {"id": "call_1", "type": "function", "function": {"name": "minutes", "arguments": self.arguments}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
        return json.dumps(
            answer if self.status == 200 else {"error": {"message": "no", "type": "server_error"}}
        ).encode()


@dataclass
class ModelServer:
    """Answers with `replies` in turn, the last one again and again; keeps what it was asked."""

    replies: list[Reply] = field(default_factory=list[Reply])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str] = field(default_factory=list[str])
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def next_reply(self) -> Reply:
        return self.replies[min(len(self.asked), len(self.replies)) - 1]

    def prompts(self) -> list[str]:
        """What the user said, per request."""
        return ["\n".join(str(m["content"]) for m in one["messages"] if m["role"] == "user") for one in self.asked]


@contextmanager
def serving() -> Generator[ModelServer]:
    model = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            model.asked.append(json.loads(self.rfile.read(length)))
            model.keys.append(self.headers.get("Authorization", ""))
            reply = model.next_reply()
            if reply.hang:
                model.released.wait(30)
                self.close_connection = True
                return
            body = reply.body()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)

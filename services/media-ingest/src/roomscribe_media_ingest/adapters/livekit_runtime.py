"""LiveKit's native runtime in this process: made ready before it is needed, and ended before the process ends."""

import contextlib
import ctypes
import os
import re
from typing import Final

from livekit import rtc
from livekit.rtc import _ffi_client as ffi

_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_NOWHERE: Final = "ws://127.0.0.1:9"
"""The discard port: refuses at once."""


def load() -> None:
    """Loads the native library and starts nothing, so that children of this process share it.

    The runtime hands each line of its log, down to the finest, to Python, which throws nearly all away: a thousand
    lines a connection, half of what it costs. Here it keeps them, and writes those that `RUST_LOG` names to standard
    error. None by default, for they quote tokens.
    """
    os.environ.setdefault("RUST_LOG", "off")
    # At each connection it asks `lsb_release` and `getconf`, dozens of processes of shell, for the system's name.
    os.environ["PATH"] = "/nonexistent"
    library = ffi.get_ffi_lib()
    setattr(library, "livekit_ffi_initialize", _without_logs(library))  # noqa: B010  # it is made on first use
    ffi.get_ffi_lib = lambda: library


def _without_logs(library: ctypes.CDLL) -> object:
    """The SDK's own start of the runtime, which has no way to say that its log is not wanted."""
    start = library.livekit_ffi_initialize
    start.argtypes = (ffi.ffi_cb_fnc, ctypes.c_bool, ctypes.c_char_p, ctypes.c_char_p)

    def quietly(callback: object, logs: bool, sdk: bytes, version: bytes) -> None:
        start(callback, False, sdk, version)

    return quietly


async def warm_up() -> None:
    """Loads what the first connection would. The attempt fails by design, before any network is left."""
    with contextlib.suppress(rtc.ConnectError):
        await rtc.Room().connect(_NOWHERE, "", rtc.RoomOptions(auto_subscribe=False, connect_timeout=1.0))


def without_tokens(text: str) -> str:
    """The text with every JSON web token left out."""
    return _TOKEN.sub("<token>", text)


def dispose() -> None:
    """Stops the runtime's threads. Without it one process in six aborts at exit under load."""
    # The SDK disposes itself only in an ordinary interpreter exit, which is where it aborts; it has no public way.
    ffi.FfiClient.instance._dispose()  # pyright: ignore[reportPrivateUsage]

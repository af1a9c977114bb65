"""LiveKit's native runtime in this process: made ready before it is needed, and ended before the process ends."""

import contextlib
import logging
import re
from typing import Final

from livekit import rtc
from livekit.rtc import _ffi_client as ffi

_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_NOWHERE: Final = "ws://127.0.0.1:9"
"""The discard port: refuses at once."""


def load() -> None:
    """Loads the native library and starts nothing, so that children of this process share it."""
    ffi.get_ffi_lib()


async def warm_up() -> None:
    """Loads what the first connection would: 60 ms of it. The attempt fails by design, before any network is left.

    The runtime complains of it, and late: it is silent until `speak_up`.
    """
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    with contextlib.suppress(rtc.ConnectError):
        await rtc.Room().connect(_NOWHERE, "", rtc.RoomOptions(auto_subscribe=False, connect_timeout=1.0))


def speak_up() -> None:
    """Logs what the runtime warns of, without the tokens it quotes."""
    logger = logging.getLogger("livekit")
    logger.addFilter(_without_tokens)
    logger.setLevel(logging.WARNING)


def hush() -> None:
    """The room is left: that the runtime now drops what is already gone is no news."""
    logging.getLogger("livekit").setLevel(logging.ERROR)


def without_tokens(text: str) -> str:
    """The text with every JSON web token left out."""
    return _TOKEN.sub("<token>", text)


def _without_tokens(record: logging.LogRecord) -> bool:
    record.msg, record.args = without_tokens(record.getMessage()), None
    return True


def dispose() -> None:
    """Stops the runtime's threads. Without it one process in six aborts at exit under load."""
    # The SDK disposes itself only in an ordinary interpreter exit, which is where it aborts; it has no public way.
    ffi.FfiClient.instance._dispose()  # pyright: ignore[reportPrivateUsage]

"""Imports what services have in common, then forks them on request: one line of JSON each way (see `births`).

Linux only: elsewhere a fork is not safe after imports. Nothing here starts a thread, so that the forks are whole.
"""

import ctypes
import gc
import os
import runpy
import select
import signal
import socket
import sys
from importlib import import_module

import setproctitle

from roomscribe_cli.local.births import Ended, Forked, ForkService

# What several services import, and no thread: numpy and onnxruntime start some, and LiveKit's media library does.
COMMON = (
    "roomscribe_common.process",
    "sqlalchemy.ext.asyncio",
    "aiosqlite",
    "redis.asyncio",
    "livekit.api",
)
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until standard input ends. In a forked child, run the service it was born for."""
    for module in COMMON:
        import_module(module)
    gc.collect()
    gc.freeze()  # what is imported is never collected, so a child's collector shall not touch and copy it
    born = _serve()
    if born is not None:
        _become(born)


def _serve() -> ForkService | None:
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    orders = b""
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            woken.recv(4096)
            _tell_of_ended()
        if 0 not in readable:
            continue
        arrived = os.read(0, 1 << 20)
        if not arrived:
            return None
        *whole, orders = (orders + arrived).split(b"\n")
        for line in whole:
            if os.fork() == 0:
                signal.set_wakeup_fd(-1)
                woken.close()
                waker.close()
                return ForkService.model_validate_json(line)


def _tell_of_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(Ended(ended=pid, status=os.waitstatus_to_exitcode(status)))


def _tell(reply: Forked | Ended) -> None:
    os.write(1, reply.model_dump_json().encode() + b"\n")


def _become(order: ForkService) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Told by the child itself, once its end would be noticed and its session can be killed.
    _tell(Forked(forked=os.getpid()))
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, max(log, nothing) + 1)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.env)
    setproctitle.setproctitle(f"{sys.executable} -m {order.module}")
    sys.argv = [order.module]
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""Imported once by the fork server, so that every room process shares what is loaded here instead of loading it."""

import gc
import os

from roomscribe_media_ingest.adapters import livekit_runtime
from roomscribe_media_ingest.room import process

# A signal to the node's process group, from a terminal or a supervisor, is for the node: its word decides when its
# rooms leave.
os.setpgrp()

# Neither starts a thread, which a fork would lose.
process.voice_model()
livekit_runtime.load()

# A collection would write to every object's header, and so copy each shared page into each room process.
gc.collect()
gc.freeze()

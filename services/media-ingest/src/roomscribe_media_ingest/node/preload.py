"""Imported once by the fork server, so that every room process shares what is loaded here instead of loading it."""

import gc

from roomscribe_media_ingest.adapters import livekit_runtime
from roomscribe_media_ingest.room import process

# Neither starts a thread, which a fork would lose.
process.voice_model()
livekit_runtime.load()

# A collection would write to every object's header, and so copy each shared page into each room process.
gc.collect()
gc.freeze()

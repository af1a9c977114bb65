"""The composition root: engine, decode threads, pull loop."""

import asyncio
import time

import nats.errors
import numpy as np
from nats.js.errors import NotFoundError
from roomscribe_common.pull import WatchedPull
from roomscribe_common.service import Service, StartFailed

from roomscribe_stt_worker.adapters.decode_pool import DecodePool
from roomscribe_stt_worker.adapters.results import Results
from roomscribe_stt_worker.claims import CONSUMER, DRAIN_S, Claims
from roomscribe_stt_worker.engines.choose import engine_from
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip, Engine
from roomscribe_stt_worker.listener import Listener, Policy
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.settings import SttSettings
from roomscribe_stt_worker.slots import Slots

_LOOK_AGAIN_S = 0.2


async def build(service: Service[SttSettings]) -> None:
    """Wires the worker; it claims as soon as the service has started."""
    await build_with(service, await asyncio.to_thread(_loaded, service.settings))


async def build_with(service: Service[SttSettings], engine: Engine) -> None:
    """The same around an engine that is there already."""
    settings = service.settings
    metrics = Metrics(service.meter, engine.provider)
    pool = DecodePool(engine, settings.threads, metrics)
    listener = Listener(
        service.nc,
        service.js,
        Results(service.bus, service.js),
        pool,
        engine,
        metrics,
        Policy(settings.stt_interims, settings.stt_max_attempts, service.source),
    )
    slots = Slots(settings.slots)
    claims = Claims(await _bound(service), listener, service.bus, service.tracer, metrics, slots)
    metrics.watch(slots, pool)

    async def close() -> None:
        pool.close()
        engine.close()

    async def drain() -> None:
        await claims.drain(0.0 if pool.worn_out else DRAIN_S)

    service.on_close(close)
    service.spawn("decode threads", pool.watch())
    service.spawn("claims", claims.run())
    service.on_close(drain)
    service.check("stt work queue", claims.ping)


def _loaded(settings: SttSettings) -> Engine:
    """The engine, its first decode done where that is only ours to pay: it is slower than the others."""
    engine = engine_from(settings)
    if settings.stt_engine == "moonshine":
        engine.transcribe([Clip(np.zeros(SAMPLE_RATE_HZ, np.float32))])
    return engine


async def _bound(service: Service[SttSettings]) -> WatchedPull:
    """The provisioner may run at the same time as we start, so the consumer may come a moment later."""
    deadline = time.monotonic() + service.settings.start_timeout_s
    while True:
        try:
            return await service.pull(CONSUMER)
        except (NotFoundError, nats.errors.TimeoutError) as error:
            if time.monotonic() > deadline:
                raise StartFailed(f"consumer {CONSUMER} does not exist: run `roomscribe streams apply`") from error
        await asyncio.sleep(_LOOK_AGAIN_S)

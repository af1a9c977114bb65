"""Finds or builds the servers Roomscribe needs on one machine, and runs them."""

from roomscribe_common.servers.account import Account, unprivileged_account
from roomscribe_common.servers.find import MissingServerError, Program, find_program, obtain
from roomscribe_common.servers.initdb import initialise_postgres, readable_postgres
from roomscribe_common.servers.kinds import KINDS, Kind, ServerName
from roomscribe_common.servers.run import LocalServer, ServerFailedError
from roomscribe_common.servers.spec import LivekitKeys, LivekitPorts, ServerSpec, livekit, nats, postgres, redis

__all__ = [
    "KINDS",
    "Account",
    "Kind",
    "LivekitKeys",
    "LivekitPorts",
    "LocalServer",
    "MissingServerError",
    "Program",
    "ServerFailedError",
    "ServerName",
    "ServerSpec",
    "find_program",
    "initialise_postgres",
    "livekit",
    "nats",
    "obtain",
    "postgres",
    "readable_postgres",
    "redis",
    "unprivileged_account",
]

"""Apache Kafka and PostgreSQL themselves on this machine, from pip alone. Not for: production.

>>> servers = await start(brokers=1)        # reused when running
>>> servers.bootstrap_servers, servers.database_url
>>> await stop()
"""

from __future__ import annotations

from streamer.local.servers import Servers, ServerStatus, find, start, status, stop

__all__ = ["ServerStatus", "Servers", "find", "start", "status", "stop"]

"""Why a broker does not let us in. aiokafka says that it could not bootstrap, and keeps the reason to itself."""

import asyncio
import ssl
from datetime import UTC, datetime

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from assent_common.kafka import tls
from assent_common.settings import Settings

WITHIN_S = 3.0


async def why(settings: Settings, options: dict[str, object], error: BaseException) -> str:
    """What stands between us and the first broker that does not let us in, and which setting it is about.

    Where each of them does let us in, or nothing better is known, it is the error's own words. Takes WITHIN_S a broker
    at the most; no password is in what it says.
    """
    connecting = {name: value for name, value in options.items() if name in _OF_A_CONNECTION}
    for host, port, _ in collect_hosts(settings.kafka_bootstrap_servers):
        reason = await _refusal(settings, host, port, connecting)
        if reason is not None:
            return f"{host}:{port} {reason}"
    return repr(error)


async def certificate_ends(settings: Settings, host: str, port: int) -> datetime | None:
    """Until when the certificate that this broker shows is good; None where it shows none that is."""
    try:
        async with asyncio.timeout(WITHIN_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls.context(settings))
    except (OSError, EOFError, TimeoutError):
        return None
    shown = writer.get_extra_info("peercert")
    writer.close()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)


_OF_A_CONNECTION = frozenset(
    {"client_id", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"}
)


async def _refusal(settings: Settings, host: str, port: int, connecting: dict[str, object]) -> str | None:
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    connection: AIOKafkaConnection | None = None
    try:
        async with asyncio.timeout(WITHIN_S):
            connection = await create_conn(host, port, request_timeout_ms=int(WITHIN_S * 1000), **connecting)
            await connection.send(MetadataRequest([]))
        return None
    except ssl.SSLCertVerificationError as error:
        return f"shows a certificate that is not trusted ({error.verify_message}): see ASSENT_KAFKA_SSL_CAFILE"
    except SaslAuthenticationFailed as error:
        said = error.args[0] if error.args else "authentication failed"
        return f"does not let us in ({said}): see ASSENT_KAFKA_SASL_USERNAME and ASSENT_KAFKA_SASL_PASSWORD"
    except UnsupportedSaslMechanismError:
        return f"does not take {mechanism}: see ASSENT_KAFKA_SASL_MECHANISM"
    except IllegalSaslStateError:
        return f"asks nobody to log in: see ASSENT_KAFKA_SECURITY_PROTOCOL, which is {protocol}"
    except (KafkaConnectionError, OSError, TimeoutError) as error:
        if isinstance(error, ConnectionRefusedError):
            return "refuses connections: see that it runs, and ASSENT_KAFKA_BOOTSTRAP_SERVERS"
        return (
            await _of_silence(host, port, protocol, connected=connection is not None) or f"does not answer: {error!r}"
        )
    except KafkaError as error:
        return f"does not answer: {error!r}"
    finally:
        if connection is not None:
            connection.close()


async def _of_silence(host: str, port: int, protocol: str, *, connected: bool) -> str | None:
    """A broker that is spoken to in another way than it listens to ends the connection without a word."""
    speaks = await _speaks_tls(host, port)
    see = f"see ASSENT_KAFKA_SECURITY_PROTOCOL, which is {protocol}"
    if speaks is True and "SSL" not in protocol:
        return f"listens to TLS alone: {see}"
    if speaks is False and "SSL" in protocol:
        return f"speaks no TLS: {see}"
    if connected and "SASL" not in protocol:
        return f"ends the connection of whoever does not log in first: {see}"
    if speaks is True and not connected:
        return "ends the connection of whoever shows no certificate that it takes: see ASSENT_KAFKA_SSL_CERTFILE"
    return None


async def _speaks_tls(host: str, port: int) -> bool | None:
    """None where it cannot be told. Nothing is said on the connection, so whoever it is may be it."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(WITHIN_S):
            _, writer = await asyncio.open_connection(host, port, ssl=anybody)
    except ssl.SSLError as error:
        # Who refuses us in words of TLS speaks it.
        return "ALERT" in (error.reason or "")
    except (ConnectionResetError, EOFError):
        return False
    except (OSError, TimeoutError):
        return None
    writer.close()
    return True

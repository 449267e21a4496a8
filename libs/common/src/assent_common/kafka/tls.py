"""Whom any client of ours trusts among brokers, and who it shows itself to be."""

import ssl

from assent_common.settings import Settings


def context(settings: Settings) -> ssl.SSLContext:
    """That trusts the company's authorities, and shows our certificate to a broker that asks. Raises OSError."""
    made = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile is not None:
        # A key with a passphrase would have it asked for on the terminal.
        made.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile, password="")
    return made

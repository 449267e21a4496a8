"""`python -m assent_common.probe [ready|live]`: exit 0 if the service on this machine says so, else 1.

For the health checks of containers: needs no shell, no curl, and nothing but the standard library.
"""

import http.client
import os
import ssl
import sys

ANSWER_WITHIN_S = 2.5


def healthy(port: int, question: str, *, tls: bool = False) -> bool:
    connection = _by_tls(port) if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", f"/health/{question}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _by_tls(port: int) -> http.client.HTTPSConnection:
    # On this machine, with nothing to keep from anybody: few certificates are of 127.0.0.1, and none is looked at.
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S, context=anybody)


def main() -> None:
    question = sys.argv[1] if len(sys.argv) > 1 else "ready"
    tls = bool(os.environ.get("ASSENT_TLS_CERTFILE"))
    sys.exit(0 if healthy(int(os.environ["ASSENT_PORT"]), question, tls=tls) else 1)


if __name__ == "__main__":
    main()

"""`python -m assent_common.probe [ready|live]`: exit 0 if the service on this machine says so, else 1.

For the health checks of containers: needs no shell, no curl, and nothing but the standard library.
"""

import http.client
import os
import sys

ANSWER_WITHIN_S = 2.5


def healthy(port: int, question: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", f"/health/{question}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    question = sys.argv[1] if len(sys.argv) > 1 else "ready"
    sys.exit(0 if healthy(int(os.environ["ASSENT_PORT"]), question) else 1)


if __name__ == "__main__":
    main()

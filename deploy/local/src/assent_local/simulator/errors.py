"""What the services refuse with: AWS's codes, which each service writes in its own protocol."""


class AwsError(Exception):
    """A refusal, by the code that clients branch on."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message)

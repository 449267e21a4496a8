"""What the domain refuses, as problems."""

from collections.abc import Iterator
from contextlib import contextmanager

from assent_common.http.problems import Conflict, FieldError, Forbidden, Invalid

from assent_workflow.candidacies.model import ImpossibleTransition
from assent_workflow.reviews.refusals import CommentRefused, NotAllowed, TooLate


@contextmanager
def spoken() -> Iterator[None]:
    """Raises the problem that says what the domain said."""
    try:
        yield
    except ImpossibleTransition as error:
        raise Conflict(str(error), status_now=error.status, allowed=list(error.allowed)) from error
    except NotAllowed as error:
        raise Forbidden(str(error)) from error
    except TooLate as error:
        raise Conflict(str(error)) from error
    except CommentRefused as error:
        fault = FieldError(pointer=f"/{error.field}", code=f"{error.field}_refused", detail=str(error))
        raise Invalid(str(error), errors=[fault]) from error

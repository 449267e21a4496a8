"""Put a model version forward for a use case."""

from assent_common.http.problems import Conflict, NotYetKnown
from assent_common.ids import Urn
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.candidacies import model, store
from assent_workflow.candidacies.model import Candidacy, Person


async def put_forward(uow: UnitOfWork, *, use_case: str, model_version: str, by: Person) -> Candidacy:
    """A new candidacy. Raises NotYetKnown for what this service has not heard of, Conflict for one that stands."""
    connection = await uow.sql()
    about = await subjects.use_case_by_key(connection, use_case)
    if about is None:
        raise NotYetKnown(f"use case {use_case!r} is not known here")
    version = await subjects.version_by_name(connection, model_version)
    if version is None:
        raise NotYetKnown(f"model version {model_version!r} is not known here")
    if about.is_given_up:
        raise Conflict(f"use case {use_case!r} is {about.stage}")
    if not version.live:
        raise Conflict("its source no longer has this model version")
    candidacy = model.put_forward(
        use_case=about.key,
        use_case_id=about.id,
        model_version=Urn(version.urn),
        version_created_at=version.created_at,
        by=by,
        at=uow.clock.now(),
    )
    if not await store.insert(uow, candidacy):
        raise Conflict(f"this model version stands for {use_case!r} already")
    details = {"use_case": about.key, "model_version": version.urn}
    uow.audit(by.subject, "candidacy.put_forward", str(candidacy.id), details)
    return candidacy

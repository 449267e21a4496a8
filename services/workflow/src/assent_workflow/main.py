"""`python -m assent_workflow.main`: the workflow service."""

from typing import Any

from assent_common import projection, service
from assent_common.http import app as http_app
from assent_common.http import audit_log, feed
from assent_common.kafka import topics
from assent_common.service import Parts, Runtime

from assent_workflow import restored
from assent_workflow.candidacies.routes import routes as candidacies
from assent_workflow.comments.routes import routes as comments
from assent_workflow.contacts.routes import routes as contacts
from assent_workflow.delegations.routes import routes as delegations
from assent_workflow.evidence.routes import routes as evidence
from assent_workflow.external.ask import ExternalChecks
from assent_workflow.external.call import Caller
from assent_workflow.external.routes import routes as external
from assent_workflow.external.secrets import Secrets
from assent_workflow.facts.routes import routes as facts
from assent_workflow.facts.show import Dashboard
from assent_workflow.findings.routes import routes as findings
from assent_workflow.gate.log import Forgetting
from assent_workflow.gate.routes import routes as gate
from assent_workflow.identities.routes import routes as identities
from assent_workflow.notifications.duties import duties as notifications
from assent_workflow.notifications.routes import routes as notification_log
from assent_workflow.policies.routes import routes as policies
from assent_workflow.policies.trials import routes as trials
from assent_workflow.projection.apply import apply
from assent_workflow.projection.versions import HELD
from assent_workflow.reviews.routes import routes as reviews
from assent_workflow.settings import Settings
from assent_workflow.steps.routes import routes as steps
from assent_workflow.tasks.routes import routes as tasks
from assent_workflow.timers.due import Timers
from assent_workflow.use_cases.routes import routes as use_cases
from assent_workflow.webhooks.deliver import Deliveries
from assent_workflow.webhooks.reseal import Resealing
from assent_workflow.webhooks.routes import routes as webhooks
from assent_workflow.webhooks.sign import Sealer

TITLE = "Assent workflow"
DESCRIPTION = "Moves model versions from candidate to accepted, and answers whether one may be deployed."
PORT = 8082
# A path is looked for in one after the other: the gate's, on which others wait, first.
ROUTERS = (
    gate,
    *(candidacies, reviews, comments, evidence),
    *(tasks, trials, policies, external, identities, delegations, findings, webhooks, facts),
    *(use_cases, steps),
    *(contacts, notification_log),
    *(feed.routes, audit_log.routes),
)


def parts(made: Runtime, settings: Settings) -> Parts:
    duties = projection.duties(
        made, group=topics.WORKFLOW, topics=[topics.REGISTRY, topics.CATALOG], apply=apply, held=HELD
    )
    key = settings.webhook_key.get_secret_value() if settings.webhook_key else None
    beside = settings.webhook_key_beside.get_secret_value() if settings.webhook_key_beside else None
    sealer = Sealer(key, beside) if key else None
    if sealer is not None:
        if beside:
            duties["webhook-secrets"] = Resealing(made.database, sealer).run
        duties["webhooks"] = Deliveries(
            made.database, sealer, settings.networks, hosts=settings.hosts, cafile=settings.outgoing_cafile
        ).run
    secrets = Secrets(key, beside) if key else None
    if secrets is not None:
        caller = Caller(secrets, settings.networks, hosts=settings.hosts, cafile=settings.outgoing_cafile)
        duties["external-checks"] = ExternalChecks(made.database, caller).run
    duties |= notifications(made.database, settings)
    return Parts(
        title=TITLE,
        description=DESCRIPTION,
        package="assent_workflow",
        routers=ROUTERS,
        publishes=[topics.GOVERNANCE],
        duties={
            **duties,
            "timers": Timers(made.database).run,
            "gate-log": Forgetting(made.database).run,
            "facts": Dashboard(made.database).run,
        },
        reconcile=restored.reconcile,
        state={"webhook_sealer": sealer, "external_secrets": secrets, "outgoing_hosts": settings.hosts},
    )


def described() -> dict[str, Any]:
    """The OpenAPI document, without a database or anything else that runs."""
    return http_app.described(title=TITLE, version=service.VERSION, description=DESCRIPTION, routers=ROUTERS)


def main() -> None:
    settings = Settings()
    made = service.runtime("workflow", settings)
    service.start(service.run(made, parts(made, settings), port=PORT))


if __name__ == "__main__":
    main()

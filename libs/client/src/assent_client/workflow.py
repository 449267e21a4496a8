# Made by `make docs` from the service's OpenAPI; a test holds them equal.

"""The workflow, an operation a method."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assent_client import workflow_types as types
from assent_client.answers import Answer, Changed

if TYPE_CHECKING:
    from assent_client.connection import Connection


class Workflow:
    """Candidacies and reviews: who is asked for what, who said what of which content, and what may be deployed."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def ask_gate(self, body: types.QuestionIn) -> Answer[types.GateVerdict]:
        """Ask whether a model version may be deployed."""
        return await self._connection.request("POST", "/v1/gate", json=body)

    async def get_gate_keys(self) -> Answer[types.PublicKeys]:
        """Read the public keys that sign the gate's answers."""
        return await self._connection.request("GET", "/v1/gate/keys")

    async def list_gate_questions(
        self,
        *,
        allow: bool | None = None,
        model_version: str | None = None,
        environment: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageAsked]:
        """List what the gate was asked, newest first."""
        return await self._connection.request(
            "GET",
            "/v1/gate/questions",
            query={
                "allow": allow,
                "model_version": model_version,
                "environment": environment,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_gate_questions(
        self,
        *,
        allow: bool | None = None,
        model_version: str | None = None,
        environment: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.Asked]:
        """List what the gate was asked, newest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/gate/questions",
            {"allow": allow, "model_version": model_version, "environment": environment, "limit": limit},
        )

    async def list_candidacies(
        self,
        *,
        use_case: str | None = None,
        model_version: str | None = None,
        status: types.CandidacyStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageCandidacyOut]:
        """List candidacies, the newest first."""
        return await self._connection.request(
            "GET",
            "/v1/candidacies",
            query={
                "use_case": use_case,
                "model_version": model_version,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_candidacies(
        self,
        *,
        use_case: str | None = None,
        model_version: str | None = None,
        status: types.CandidacyStatus | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.CandidacyOut]:
        """List candidacies, the newest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/candidacies", {"use_case": use_case, "model_version": model_version, "status": status, "limit": limit}
        )

    async def create_candidacy(
        self, body: types.Proposal, *, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Put a model version forward for a use case."""
        return await self._connection.request(
            "POST", "/v1/candidacies", headers={"Idempotency-Key": idempotency_key}, json=body
        )

    async def get_candidacy(self, id: str) -> Answer[types.CandidacyOut]:
        """Read a candidacy."""
        return await self._connection.request("GET", f"/v1/candidacies/{quote(id, safe='')}")

    async def get_candidacy_status(self, id: str) -> Answer[dict[str, Any]]:
        """Read a candidacy's status alone."""
        return await self._connection.request("GET", f"/v1/candidacies/{quote(id, safe='')}/status")

    async def submit_candidacy(
        self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Submit a candidacy for review."""
        return await self._connection.request(
            "POST",
            f"/v1/candidacies/{quote(id, safe='')}/submit",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
        )

    async def override_candidacy(
        self, id: str, body: types.Reason, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Accept past the policy."""
        return await self._connection.request(
            "POST",
            f"/v1/candidacies/{quote(id, safe='')}/override",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def withdraw_candidacy(
        self, id: str, body: types.Reason | None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Withdraw a candidacy."""
        return await self._connection.request(
            "POST",
            f"/v1/candidacies/{quote(id, safe='')}/withdraw",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def suspend_candidacy(
        self, id: str, body: types.Reason | None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Suspend an acceptance."""
        return await self._connection.request(
            "POST",
            f"/v1/candidacies/{quote(id, safe='')}/suspend",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def retire_candidacy(
        self, id: str, body: types.Reason | None, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.CandidacyOut]:
        """Retire a candidacy."""
        return await self._connection.request(
            "POST",
            f"/v1/candidacies/{quote(id, safe='')}/retire",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def get_review(self, id: str) -> Answer[types.ReviewOut]:
        """Read a review."""
        return await self._connection.request("GET", f"/v1/reviews/{quote(id, safe='')}")

    async def get_review_changes(self, id: str) -> Answer[types.ChangesOut]:
        """Read what changed."""
        return await self._connection.request("GET", f"/v1/reviews/{quote(id, safe='')}/changes")

    async def list_comments(
        self, id: str, *, task: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageCommentOut]:
        """List what was said."""
        return await self._connection.request(
            "GET", f"/v1/reviews/{quote(id, safe='')}/comments", query={"task": task, "limit": limit, "cursor": cursor}
        )

    def each_comments(
        self, id: str, *, task: str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.CommentOut]:
        """List what was said: each of them, page by page."""
        return self._connection.pages(f"/v1/reviews/{quote(id, safe='')}/comments", {"task": task, "limit": limit})

    async def create_comment(
        self, id: str, body: types.CommentIn, *, idempotency_key: str | None = None
    ) -> Answer[types.CommentOut]:
        """Say something of a review."""
        return await self._connection.request(
            "POST",
            f"/v1/reviews/{quote(id, safe='')}/comments",
            headers={"Idempotency-Key": idempotency_key},
            json=body,
        )

    async def list_evidence(self, id: str) -> Answer[types.PageEvidenceOut]:
        """List what a review rests on."""
        return await self._connection.request("GET", f"/v1/reviews/{quote(id, safe='')}/evidence")

    async def attach_evidence(
        self, id: str, body: types.EvidenceIn, *, idempotency_key: str | None = None
    ) -> Answer[types.EvidenceOut]:
        """Attach evidence to a review."""
        return await self._connection.request(
            "POST",
            f"/v1/reviews/{quote(id, safe='')}/evidence",
            headers={"Idempotency-Key": idempotency_key},
            json=body,
        )

    async def list_tasks(
        self,
        *,
        candidacy: str | None = None,
        step: str | None = None,
        about: types.About | None = None,
        role: str | None = None,
        status: types.TaskStatus | None = None,
        overdue: bool | None = None,
        mine: bool | None = None,
        assignee: str | None = None,
        assigned: bool | None = None,
        stage: str | None = None,
        use_case: str | None = None,
        model: str | None = None,
        model_version: str | None = None,
        due_before: datetime | str | None = None,
        counts: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.TaskPage]:
        """List tasks, the most urgent first."""
        return await self._connection.request(
            "GET",
            "/v1/tasks",
            query={
                "candidacy": candidacy,
                "step": step,
                "about": about,
                "role": role,
                "status": status,
                "overdue": overdue,
                "mine": mine,
                "assignee": assignee,
                "assigned": assigned,
                "stage": stage,
                "use_case": use_case,
                "model": model,
                "model_version": model_version,
                "due_before": due_before,
                "counts": counts,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_tasks(
        self,
        *,
        candidacy: str | None = None,
        step: str | None = None,
        about: types.About | None = None,
        role: str | None = None,
        status: types.TaskStatus | None = None,
        overdue: bool | None = None,
        mine: bool | None = None,
        assignee: str | None = None,
        assigned: bool | None = None,
        stage: str | None = None,
        use_case: str | None = None,
        model: str | None = None,
        model_version: str | None = None,
        due_before: datetime | str | None = None,
        counts: bool | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.TaskOut]:
        """List tasks, the most urgent first: each of them, page by page."""
        return self._connection.pages(
            "/v1/tasks",
            {
                "candidacy": candidacy,
                "step": step,
                "about": about,
                "role": role,
                "status": status,
                "overdue": overdue,
                "mine": mine,
                "assignee": assignee,
                "assigned": assigned,
                "stage": stage,
                "use_case": use_case,
                "model": model,
                "model_version": model_version,
                "due_before": due_before,
                "counts": counts,
                "limit": limit,
            },
        )

    async def get_task(self, id: str) -> Answer[types.TaskOut]:
        """Read a task."""
        return await self._connection.request("GET", f"/v1/tasks/{quote(id, safe='')}")

    async def decide_task(
        self, id: str, body: types.Decision, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.TaskOut]:
        """Decide a task."""
        return await self._connection.request(
            "POST",
            f"/v1/tasks/{quote(id, safe='')}/decision",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def claim_task(
        self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.TaskOut]:
        """Take a task on."""
        return await self._connection.request(
            "POST",
            f"/v1/tasks/{quote(id, safe='')}/claim",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
        )

    async def release_task(
        self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.TaskOut]:
        """Give a task back."""
        return await self._connection.request(
            "POST",
            f"/v1/tasks/{quote(id, safe='')}/release",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
        )

    async def assign_task(
        self, id: str, body: types.Assignment, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.TaskOut]:
        """Give a task to somebody."""
        return await self._connection.request(
            "POST",
            f"/v1/tasks/{quote(id, safe='')}/assign",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def simulate_past(
        self, body: types.PastTrial, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PagePastRound]:
        """Try a policy on the past."""
        return await self._connection.request(
            "POST", "/v1/policies/simulate", query={"limit": limit, "cursor": cursor}, json=body
        )

    async def compare_policies(
        self, name: str, *, from_: int | None = None, to: int | None = None
    ) -> Answer[types.PolicyDiff]:
        """Compare two versions of a policy."""
        return await self._connection.request(
            "GET", f"/v1/policies/{quote(name, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def list_policies(self) -> Answer[types.PagePolicyOut]:
        """List all versions of all policies."""
        return await self._connection.request("GET", "/v1/policies")

    async def create_policy(self, body: types.PolicyIn) -> Answer[types.PolicyOut]:
        """Add a version of a policy."""
        return await self._connection.request("POST", "/v1/policies", json=body)

    async def get_policy(self, name: str) -> Answer[types.PolicyOut]:
        """Read the newest version of a policy."""
        return await self._connection.request("GET", f"/v1/policies/{quote(name, safe='')}")

    async def simulate_policy(self, name: str, body: types.Trial) -> Answer[types.Simulation]:
        """Try a policy on what stands now."""
        return await self._connection.request("POST", f"/v1/policies/{quote(name, safe='')}/simulate", json=body)

    async def read_external_check_secret(self, body: types.Addressed) -> Answer[types.SecretOut]:
        """Read a check's secret."""
        return await self._connection.request("POST", "/v1/external-checks/secret", json=body)

    async def ask_check_again(
        self, id: str, name: str, *, idempotency_key: str | None = None
    ) -> Answer[types.CheckResult]:
        """Ask another system again."""
        return await self._connection.request(
            "POST",
            f"/v1/reviews/{quote(id, safe='')}/checks/{quote(name, safe='')}/ask",
            headers={"Idempotency-Key": idempotency_key},
        )

    async def list_identities(
        self, *, name: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageIdentityOut]:
        """List whom names stand for."""
        return await self._connection.request(
            "GET", "/v1/identities", query={"name": name, "limit": limit, "cursor": cursor}
        )

    def each_identities(self, *, name: str | None = None, limit: int | None = None) -> AsyncIterator[types.IdentityOut]:
        """List whom names stand for: each of them, page by page."""
        return self._connection.pages("/v1/identities", {"name": name, "limit": limit})

    async def put_identity(self, body: types.IdentityIn) -> Answer[types.IdentityOut]:
        """Say whom a name stands for."""
        return await self._connection.request("PUT", "/v1/identities", json=body)

    async def delete_identity(self, id: str) -> Answer[None]:
        """Forget whom a name stands for."""
        return await self._connection.request("DELETE", f"/v1/identities/{quote(id, safe='')}")

    async def list_delegations(
        self, *, person: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageDelegationOut]:
        """List delegations, the newest first."""
        return await self._connection.request(
            "GET", "/v1/delegations", query={"person": person, "limit": limit, "cursor": cursor}
        )

    def each_delegations(
        self, *, person: str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.DelegationOut]:
        """List delegations, the newest first: each of them, page by page."""
        return self._connection.pages("/v1/delegations", {"person": person, "limit": limit})

    async def create_delegation(self, body: types.DelegationIn) -> Answer[types.DelegationOut]:
        """Let somebody stand in."""
        return await self._connection.request("POST", "/v1/delegations", json=body)

    async def revoke_delegation(self, id: str) -> Answer[None]:
        """Revoke a delegation."""
        return await self._connection.request("DELETE", f"/v1/delegations/{quote(id, safe='')}")

    async def list_findings(
        self,
        *,
        status: types.FindingStatus | None = None,
        kind: types.FindingsRulesKind | None = None,
        severity: types.Severity | None = None,
        subject: str | None = None,
        model_version: str | None = None,
        owner: str | None = None,
        overdue: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageFindingOut]:
        """List findings, those first that are due first."""
        return await self._connection.request(
            "GET",
            "/v1/findings",
            query={
                "status": status,
                "kind": kind,
                "severity": severity,
                "subject": subject,
                "model_version": model_version,
                "owner": owner,
                "overdue": overdue,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_findings(
        self,
        *,
        status: types.FindingStatus | None = None,
        kind: types.FindingsRulesKind | None = None,
        severity: types.Severity | None = None,
        subject: str | None = None,
        model_version: str | None = None,
        owner: str | None = None,
        overdue: bool | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.FindingOut]:
        """List findings, those first that are due first: each of them, page by page."""
        return self._connection.pages(
            "/v1/findings",
            {
                "status": status,
                "kind": kind,
                "severity": severity,
                "subject": subject,
                "model_version": model_version,
                "owner": owner,
                "overdue": overdue,
                "limit": limit,
            },
        )

    async def get_finding(self, id: str) -> Answer[types.FindingOut]:
        """Read a finding."""
        return await self._connection.request("GET", f"/v1/findings/{quote(id, safe='')}")

    async def accept_finding(
        self, id: str, body: types.RiskAccepted, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.FindingOut]:
        """Accept a finding's risk until a date."""
        return await self._connection.request(
            "POST",
            f"/v1/findings/{quote(id, safe='')}/accept-risk",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def resolve_finding(
        self, id: str, body: types.Resolution, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.FindingOut]:
        """Resolve a finding by hand."""
        return await self._connection.request(
            "POST",
            f"/v1/findings/{quote(id, safe='')}/resolve",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def list_webhooks(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageWebhookOut]:
        """List webhooks, the newest first."""
        return await self._connection.request("GET", "/v1/webhooks", query={"limit": limit, "cursor": cursor})

    def each_webhooks(self, *, limit: int | None = None) -> AsyncIterator[types.WebhookOut]:
        """List webhooks, the newest first: each of them, page by page."""
        return self._connection.pages("/v1/webhooks", {"limit": limit})

    async def create_webhook(self, body: types.WebhookIn) -> Answer[types.WebhookWithSecret]:
        """Add a webhook."""
        return await self._connection.request("POST", "/v1/webhooks", json=body)

    async def get_webhook(self, id: str) -> Answer[types.WebhookOut]:
        """Read a webhook."""
        return await self._connection.request("GET", f"/v1/webhooks/{quote(id, safe='')}")

    async def change_webhook(
        self, id: str, body: types.WebhookIn, *, if_match: str | None = None
    ) -> Answer[types.WebhookOut]:
        """Change a webhook."""
        return await self._connection.request(
            "PUT", f"/v1/webhooks/{quote(id, safe='')}", headers={"If-Match": if_match}, json=body
        )

    async def delete_webhook(self, id: str) -> Answer[None]:
        """Delete a webhook."""
        return await self._connection.request("DELETE", f"/v1/webhooks/{quote(id, safe='')}")

    async def rotate_webhook(self, id: str) -> Answer[types.WebhookWithSecret]:
        """Give a webhook a new secret."""
        return await self._connection.request("POST", f"/v1/webhooks/{quote(id, safe='')}/rotate")

    async def ping_webhook(self, id: str) -> Answer[types.DeliveryOut]:
        """Send a webhook a trial event."""
        return await self._connection.request("POST", f"/v1/webhooks/{quote(id, safe='')}/ping")

    async def list_deliveries(
        self, id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageDeliveryOut]:
        """List a webhook's deliveries, the newest first."""
        return await self._connection.request(
            "GET", f"/v1/webhooks/{quote(id, safe='')}/deliveries", query={"limit": limit, "cursor": cursor}
        )

    def each_deliveries(self, id: str, *, limit: int | None = None) -> AsyncIterator[types.DeliveryOut]:
        """List a webhook's deliveries, the newest first: each of them, page by page."""
        return self._connection.pages(f"/v1/webhooks/{quote(id, safe='')}/deliveries", {"limit": limit})

    async def redeliver(self, id: str) -> Answer[types.DeliveryOut]:
        """Deliver once more."""
        return await self._connection.request("POST", f"/v1/webhook-deliveries/{quote(id, safe='')}/redeliver")

    async def get_facts(self) -> Answer[types.Facts]:
        """Read how the work goes, in numbers."""
        return await self._connection.request("GET", "/v1/facts")

    async def list_serving(
        self, key: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageServingOut]:
        """List what serves for a use case, and what has to be switched off with it."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}/serving", query={"limit": limit, "cursor": cursor}
        )

    def each_serving(self, key: str, *, limit: int | None = None) -> AsyncIterator[types.ServingOut]:
        """List what serves for a use case, and what has to be switched off with it: each of them, page by page."""
        return self._connection.pages(f"/v1/use-cases/{quote(key, safe='')}/serving", {"limit": limit})

    async def list_steps(
        self,
        *,
        use_case: str | None = None,
        to: types.Stage | None = None,
        status: types.StepStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageStepOut]:
        """List the steps of use cases, the newest first."""
        return await self._connection.request(
            "GET",
            "/v1/use-case-steps",
            query={"use_case": use_case, "to": to, "status": status, "limit": limit, "cursor": cursor},
        )

    def each_steps(
        self,
        *,
        use_case: str | None = None,
        to: types.Stage | None = None,
        status: types.StepStatus | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.StepOut]:
        """List the steps of use cases, the newest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/use-case-steps", {"use_case": use_case, "to": to, "status": status, "limit": limit}
        )

    async def get_step(self, id: str) -> Answer[types.StepOut]:
        """Read a step of a use case."""
        return await self._connection.request("GET", f"/v1/use-case-steps/{quote(id, safe='')}")

    async def list_contacts(
        self,
        *,
        kind: types.ContactKind | None = None,
        name: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageContactOut]:
        """List where people, roles and groups are reached."""
        return await self._connection.request(
            "GET", "/v1/contacts", query={"kind": kind, "name": name, "limit": limit, "cursor": cursor}
        )

    def each_contacts(
        self, *, kind: types.ContactKind | None = None, name: str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.ContactOut]:
        """List where people, roles and groups are reached: each of them, page by page."""
        return self._connection.pages("/v1/contacts", {"kind": kind, "name": name, "limit": limit})

    async def put_contact(self, body: types.ContactIn) -> Answer[types.ContactOut]:
        """Say where a person, a role or a group is reached."""
        return await self._connection.request("PUT", "/v1/contacts", json=body)

    async def get_my_contact(self) -> Answer[types.ContactOut]:
        """Read how one is reached."""
        return await self._connection.request("GET", "/v1/contacts/mine")

    async def put_my_contact(self, body: types.PreferencesIn) -> Answer[types.ContactOut]:
        """Say what one wants to be told."""
        return await self._connection.request("PUT", "/v1/contacts/mine", json=body)

    async def delete_contact(self, id: str) -> Answer[None]:
        """Forget a contact."""
        return await self._connection.request("DELETE", f"/v1/contacts/{quote(id, safe='')}")

    async def list_notifications(
        self,
        *,
        status: types.Status | None = None,
        channel: types.Channel | None = None,
        recipient: str | None = None,
        about: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageNotificationOut]:
        """List notifications, the newest first."""
        return await self._connection.request(
            "GET",
            "/v1/notifications",
            query={
                "status": status,
                "channel": channel,
                "recipient": recipient,
                "about": about,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_notifications(
        self,
        *,
        status: types.Status | None = None,
        channel: types.Channel | None = None,
        recipient: str | None = None,
        about: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.NotificationOut]:
        """List notifications, the newest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/notifications",
            {"status": status, "channel": channel, "recipient": recipient, "about": about, "limit": limit},
        )

    async def get_notification(self, id: str) -> Answer[types.NotificationOut]:
        """Read a notification."""
        return await self._connection.request("GET", f"/v1/notifications/{quote(id, safe='')}")

    async def redeliver_notification(self, id: str) -> Answer[types.NotificationOut]:
        """Send a notification once more."""
        return await self._connection.request("POST", f"/v1/notifications/{quote(id, safe='')}/redeliver")

    async def list_rules(self, *, limit: int | None = None, cursor: str | None = None) -> Answer[types.PageRulesOut]:
        """List all versions of the rules, the newest first."""
        return await self._connection.request("GET", "/v1/notification-rules", query={"limit": limit, "cursor": cursor})

    def each_rules(self, *, limit: int | None = None) -> AsyncIterator[types.RulesOut]:
        """List all versions of the rules, the newest first: each of them, page by page."""
        return self._connection.pages("/v1/notification-rules", {"limit": limit})

    async def write_rules(self, body: types.RulesIn) -> Answer[types.RulesOut]:
        """Write the rules."""
        return await self._connection.request("POST", "/v1/notification-rules", json=body)

    def follow_events(
        self, *, type: Sequence[str] | None = None, after: int | None = None, last_event_id: int | None = None
    ) -> AsyncIterator[Changed]:
        """Follow the changes."""
        return self._connection.events("/v1/events", {"type": type, "after": after}, {"Last-Event-Id": last_event_id})

    async def list_audit_records(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageAuditRecord]:
        """List who did what, oldest first."""
        return await self._connection.request(
            "GET",
            "/v1/audit",
            query={"subject": subject, "actor": actor, "action": action, "limit": limit, "cursor": cursor},
        )

    def each_audit_records(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.AuditRecord]:
        """List who did what, oldest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/audit", {"subject": subject, "actor": actor, "action": action, "limit": limit}
        )

    async def get_audit_keys(self) -> Answer[types.PublicKeys]:
        """Read the public keys that sign checkpoints."""
        return await self._connection.request("GET", "/v1/audit/keys")

    async def get_audit_checkpoint(self) -> Answer[types.AuditCheckpoint]:
        """Sign where the log ends now."""
        return await self._connection.request("GET", "/v1/audit/checkpoint")

    def export_audit(self, *, up_to: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Export the log, for an auditor."""
        return self._connection.stream("/v1/audit/export", query={"up_to": up_to})

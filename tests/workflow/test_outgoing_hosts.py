"""Whom the operator does not list is neither written down as somebody to send to, nor sent anything."""

import ipaddress

import yaml
from assent_workflow.external.ask import ExternalChecks
from assent_workflow.external.call import Caller
from assent_workflow.outgoing.hosts import Hosts
from assent_workflow.webhooks.deliver import Deliveries

from tests.support.receiver import a_receiver
from tests.workflow.test_external_checks import SECRETS, asked, check_of, governed
from tests.workflow.test_policy_language import LEGAL
from tests.workflow.test_webhooks import LOOPBACK, SEALER, create, drained, log, ping
from tests.workflow.world import World

LISTED = Hosts.of("hooks.example.com")


async def test_a_webhook_of_another_is_refused_by_its_field(world: World) -> None:
    world.app.state.webhook_sealer, world.app.state.outgoing_hosts = SEALER, LISTED
    webhook = await create(world, "https://hooks.example.com/assent")
    path = f"/v1/webhooks/{webhook['id']}"
    etag = (await world.ask("GET", path, by="root", role="admin")).headers["ETag"]
    body = {"url": "https://elsewhere.example/assent"}
    for method, where, headers in (("POST", "/v1/webhooks", {}), ("PUT", path, {"If-Match": etag})):
        refused = await world.ask(method, where, by="root", role="admin", json=body, headers=headers)
        assert refused.status_code == 422, refused.text
        [fault] = refused.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/url", "url_refused")
        assert "ASSENT_OUTGOING_HOSTS" in fault["detail"]
    listed = (await world.ask("GET", "/v1/webhooks", by="root", role="admin")).json()["items"]
    assert [each["url"] for each in listed] == ["https://hooks.example.com/assent"]


async def test_one_that_was_there_before_the_list_is_sent_nothing(world: World) -> None:
    world.app.state.webhook_sealer = SEALER
    async with a_receiver() as receiver:
        webhook = await create(world, receiver.url)
        await ping(world, webhook)
        await drained(world, Deliveries(world.database, SEALER, LOOPBACK, hosts=LISTED))
        assert receiver.got == []
        [delivery] = await log(world, webhook)
        assert (delivery["status"], "ASSENT_OUTGOING_HOSTS" in delivery["last_error"]) == ("waiting", True)
        async with world.database.connection() as connection:
            await connection.execute("update webhook_deliveries set next_try_at = now()")
        here = Hosts.of("hooks.example.com,127.0.0.1,localhost")
        await drained(world, Deliveries(world.database, SEALER, LOOPBACK, hosts=here))
        assert len(receiver.got) == 1


async def test_a_policy_that_asks_another_is_refused_and_one_of_before_asks_nobody(world: World) -> None:
    async with governed(world) as receiver:
        world.app.state.outgoing_hosts = LISTED
        candidacy = await world.put_forward()
        networks = [ipaddress.ip_network("127.0.0.0/8")]
        assert await asked(world, ExternalChecks(world.database, Caller(SECRETS, networks, hosts=LISTED))) == 1
        assert receiver.got == []
        check = await check_of(world, candidacy)
        assert (check["passed"], check["pending"]) == (False, True)
        external = {"name": "fair", "description": "It treats groups alike.", "external": {"url": receiver.url}}
        text = yaml.safe_dump(
            {
                "name": "default",
                "version": 3,
                "valid_for": "P365D",
                "checks": [external],
                "stages": [{"name": "all", "approvals": [LEGAL]}],
            }
        )
        refused = await world.ask("POST", "/v1/policies", role="admin", json={"text": text})
        assert refused.status_code == 422, refused.text
        [fault] = refused.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/text", "url_refused")
        assert fault["detail"].startswith("checks.0.external.url: 127.0.0.1 is none of the hosts")

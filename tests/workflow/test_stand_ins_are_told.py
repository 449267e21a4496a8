"""Who stands in for somebody, and who is in the group that is asked, are told as those are whose role is asked."""

from datetime import timedelta
from typing import Any

import yaml

from tests.workflow.notified import Notified
from tests.workflow.world import World


async def a_policy(world: World, **legal: Any) -> None:
    """One task, of a lawyer."""
    policy = {
        "name": "ours",
        "version": 1,
        "applies_to": "true",
        "stages": [{"name": "only", "approvals": [{"role": "legal", "due_in": "P7D", **legal}]}],
        "valid_for": "P30D",
    }
    body = {"text": yaml.safe_dump(policy)}
    answer = await world.ask("POST", "/v1/policies", by="root", role="admin", json=body)
    assert answer.status_code == 201, answer.text


async def known(world: World, subject: str, *roles: str, groups: tuple[str, ...] = ()) -> None:
    told = {"name": subject, "subject": subject, "roles": list(roles), "groups": list(groups)}
    assert (await world.ask("PUT", "/v1/identities", by="root", role="admin", json=told)).status_code == 200


async def delegates(world: World, of: str, to: str, *, after_days: int = 0) -> str:
    """For a week."""
    begins = world.clock.now() + timedelta(days=after_days)
    body = {
        "role": "legal",
        "substitute": to,
        "begins_at": begins.isoformat(),
        "ends_at": (begins + timedelta(days=7)).isoformat(),
        "reason": "on leave",
    }
    answer = await world.ask("POST", "/v1/delegations", by=of, role="legal", json=body)
    assert answer.status_code == 201, answer.text
    id_: str = answer.json()["id"]
    return id_


async def told_of(notified: Notified, kind: str) -> dict[str, str]:
    """Whom, and in which words."""
    rows = [row for row in await notified.written() if row["kind"] == kind]
    found = {row["recipient"]: row["subject"] for row in rows}
    assert len(found) == len(rows)
    return found


async def test_who_stands_in_is_told_of_the_delegation_and_of_what_is_asked_while_it_holds(notified: Notified) -> None:
    world = notified.world
    await a_policy(world, substitutes=["risk"])
    for name in ("lucia", "rosa", "rita", "sven", "later", "ada"):
        await notified.reach(name, f"{name}@example.com")
    await known(world, "lucia", "legal")
    await known(world, "sven", "security")
    given = await delegates(world, "lucia", "rosa")
    over = await delegates(world, "lucia", "rita")
    # One whose role the policy lets not stand in, one whose time has not come, and one who put it forward.
    await delegates(world, "lucia", "sven")
    await delegates(world, "lucia", "later", after_days=1)
    await delegates(world, "lucia", "ada")
    assert (await world.ask("DELETE", f"/v1/delegations/{over}", by="lucia", role="legal")).status_code == 204
    await world.put_forward(by="ada")

    said = await told_of(notified, "delegation.given")
    assert set(said) == {f"person:{name}" for name in ("rosa", "rita", "sven", "later", "ada")}
    assert said["person:rosa"] == "You stand in for lucia as legal"
    assert set(await told_of(notified, "delegation.revoked")) == {"person:rita"}
    assert set(await told_of(notified, "task.asked")) == {"person:lucia", "person:rosa"}
    await notified.sent()
    mails = {
        message["Subject"]: message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        for message in notified.mailbox.got
        if message["To"] == "rosa@example.com"
    }
    assert len(mails) == 2
    assert "/v1/delegations?person=rosa" in mails[said["person:rosa"]]
    assert "In place of: lucia" in mails["Your decision is asked for: retention"]
    [row] = [row for row in await notified.log(recipient="person:rosa") if row["kind"] == "delegation.given"]
    assert row["about"] == given


async def test_who_asked_for_the_review_and_who_stands_in_for_him_are_not_told_as_if_they_could_decide(
    notified: Notified,
) -> None:
    world = notified.world
    await a_policy(world, substitutes=["risk"])
    for name in ("bob", "rosa", "rita"):
        await notified.reach(name, f"{name}@example.com")
    # One who stands in for bob, one for another, and bob himself for another.
    for of, to in (("bob", "rosa"), ("lucia", "rita"), ("lara", "bob")):
        await delegates(world, of, to)
    candidacy = await world.put_forward(by="ada", submit=False)
    path = f"/v1/candidacies/{candidacy['id']}/submit"
    assert (await world.ask("POST", path, by="bob", role="data_scientist")).status_code == 200
    assert set(await told_of(notified, "task.asked")) == {"person:rita"}


async def test_of_a_task_that_somebody_has_only_who_stands_in_for_that_person_is_told(notified: Notified) -> None:
    world = notified.world
    await a_policy(world, accountable=True)
    person = "named-lawyer"
    async with world.database.connection() as connection:
        name = await connection.fetchval("select facets->'accountability'->>'legal' from use_cases")
    told = {"name": name, "subject": person}
    assert (await world.ask("PUT", "/v1/identities", by="root", role="admin", json=told)).status_code == 200
    for each in (person, "lara", "rosa", "rita"):
        await notified.reach(each, f"{each}@example.com")
    await known(world, "lara", "legal")
    await delegates(world, person, "rosa")
    await delegates(world, "lara", "rita")
    candidacy = await world.put_forward()
    assert set(await told_of(notified, "task.asked")) == {f"person:{person}", "person:rosa"}
    # And she can.
    task = (await world.tasks(candidacy["id"]))["legal"]
    assert (await world.decide(task, by="rita", role="legal")).status_code == 403
    assert (await world.decide(task, by="rosa", role="legal")).status_code == 200


async def test_what_is_asked_of_a_group_is_told_to_its_members(notified: Notified) -> None:
    world = notified.world
    await a_policy(world, group="credit-board")
    await notified.reach("legal", "all-lawyers@example.com", kind="role")
    for name in ("lucia", "lara", "rosa"):
        await notified.reach(name, f"{name}@example.com")
    await known(world, "lucia", "legal", groups=("credit-board",))
    await known(world, "lara", "legal")
    # In the group, too, but asked as another.
    await known(world, "rosa", "risk", groups=("credit-board",))
    first = await world.put_forward()
    assert set(await told_of(notified, "task.asked")) == {"person:lucia"}
    [row] = await notified.log(recipient="person:lucia")
    await notified.sent()
    assert row["about"] == (await world.tasks(first["id"]))["legal"]["id"]
    assert "Group: credit-board" in notified.mailbox.got[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]

    # An address of the group's own comes before those of who is in it; and without either, the role is told.
    await notified.reach("credit-board", "board@example.com", kind="group")
    first, told = await once_more(notified, first)
    assert told == ["group:credit-board"]
    async with world.database.connection() as connection:
        await connection.execute("delete from contacts where kind = 'group'")
        await connection.execute("delete from identities")
    _, told = await once_more(notified, first)
    assert told == ["role:legal"]


async def once_more(notified: Notified, before: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Put forward again, and who is told of it."""
    path = f"/v1/candidacies/{before['id']}/withdraw"
    answer = await notified.world.ask("POST", path, by="ada", role="data_scientist")
    assert answer.status_code == 200, answer.text
    candidacy = await notified.world.put_forward()
    task = (await notified.world.tasks(candidacy["id"]))["legal"]["id"]
    await notified.written()
    return candidacy, [row["recipient"] for row in await notified.log(about=task)]

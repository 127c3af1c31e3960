"""kill -9 while a notification is on its way: it is sent by the next process."""

from pathlib import Path

import httpx

from support.inprocess import until
from support.person import token_of_first_person
from support.push_service import Browser
from support.receiver import receiving
from support.server import RunningServer

LIMITS = {"NOD_LIMIT_NOTIFY_TIMEOUT_S": "2"}


async def _is_sent(http: httpx.AsyncClient) -> bool:
    (notice,) = (await http.get("/api/notifications")).json()
    return bool(notice["state"] == "sent")


async def test_a_notification_that_was_not_sent_is_sent_after_the_crash(tmp_path: Path) -> None:
    server = RunningServer(tmp_path, LIMITS).start()
    who = await server.add_agent()
    person = {"Authorization": f"Bearer {await token_of_first_person(server)}"}
    agent = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}
    async with receiving() as service:
        browser = Browser(service.url)
        service.release.clear()  # the push service does not answer
        async with httpx.AsyncClient(base_url=server.url) as http:
            path = "/api/notifications/push-subscriptions"
            made = await http.post(path, json=browser.as_json, headers=person)
            assert made.status_code == 201, made.text
            asked = {"type": "decision", "title": "Deploy 1.4?"}
            await http.post("/api/agent/events", json=asked, headers=agent)
        await until(lambda: len(service.calls) == 1)
        server.kill()
        service.release.set()
        server.start()
        await until(lambda: len(service.calls) == 2)
        async with httpx.AsyncClient(base_url=server.url, headers=person) as http:
            await until(lambda: _is_sent(http))
    assert [browser.read(call)["title"] for call in service.calls] == ["Deploy 1.4?"] * 2
    assert len({call.headers["topic"] for call in service.calls}) == 1
    assert server.stop() == 0

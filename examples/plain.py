import os

import requests

url, ids = os.environ["NOD_API_URL"] + "/api/agent", ("NOD_AGENT_ID", "NOD_SECRET")
nod = requests.Session()
nod.headers.update({"X-" + name.replace("_", "-"): os.environ[name] for name in ids})
while True:
    for event in nod.get(f"{url}/events?wait_s=50").json():
        if event["type"] in ("task_due", "task_trigger"):
            title, run_id = f"Start {event['task_name']}?", event["run_id"]
            question = {"type": "decision", "title": title, "task_run_id": run_id}
            nod.post(f"{url}/events", json=question).raise_for_status()
        elif event["type"] == "decision_resolved":
            done = {"status": "completed", "summary": f"You said: {event['status']}."}
            nod.post(f"{url}/tasks/runs/{event['task_run_id']}/complete", json=done)
        nod.post(f"{url}/events/{event['event_id']}/ack")

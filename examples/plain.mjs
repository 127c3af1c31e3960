const { NOD_API_URL, NOD_AGENT_ID, NOD_SECRET } = process.env;
const headers = { "X-Nod-Agent-Id": NOD_AGENT_ID, "X-Nod-Secret": NOD_SECRET };

async function nod(path, body) {
  const given = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const answer = await fetch(`${NOD_API_URL}/api/agent/${path}`, given);
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

while (true) {
  for (const event of await nod("events?wait_s=50")) {
    const { type, task_name, run_id, task_run_id, status } = event;
    const done = { status: "completed", summary: `You said: ${status}.` };
    if (type === "task_due" || type === "task_trigger")
      await nod("events", { type: "decision", title: `Start ${task_name}?`, task_run_id: run_id });
    if (type === "decision_resolved") await nod(`tasks/runs/${task_run_id}/complete`, done);
    await nod(`events/${event.event_id}/ack`, {});
  }
}

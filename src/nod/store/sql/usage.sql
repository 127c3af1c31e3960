-- What runs have used up, by task and day, and what people said of budgets. A day is text such as
-- 2030-12-24, so that days stand in their order. A task's rows are written by whoever has the task.

-- name: add_usage
INSERT INTO usage_days (
  task_id, agent_id, day, runs, input_tokens, output_tokens, cost_microusd, work_ms
) VALUES (
  :task_id, :agent_id, :day, :runs, :input_tokens, :output_tokens, :cost_microusd, :work_ms
)
ON CONFLICT (task_id, day) DO UPDATE SET
  runs = usage_days.runs + excluded.runs,
  input_tokens = usage_days.input_tokens + excluded.input_tokens,
  output_tokens = usage_days.output_tokens + excluded.output_tokens,
  cost_microusd = usage_days.cost_microusd + excluded.cost_microusd,
  work_ms = usage_days.work_ms + excluded.work_ms

-- name: usage_of_task
SELECT day, runs, input_tokens, output_tokens, cost_microusd, work_ms FROM usage_days
WHERE task_id = :task_id AND day BETWEEN :first AND :last
ORDER BY day

-- name: usage_of_agent
-- Of all its tasks together; removed ones count.
SELECT day, CAST(sum(runs) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
  CAST(sum(output_tokens) AS BIGINT), CAST(sum(cost_microusd) AS BIGINT),
  CAST(sum(work_ms) AS BIGINT)
FROM usage_days
WHERE agent_id = :agent_id AND day BETWEEN :first AND :last
GROUP BY day
ORDER BY day

-- name: usage_by_task
-- Which tasks of an agent used how much in a span of days.
SELECT task_id, CAST(sum(runs) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
  CAST(sum(output_tokens) AS BIGINT), CAST(sum(cost_microusd) AS BIGINT),
  CAST(sum(work_ms) AS BIGINT)
FROM usage_days
WHERE agent_id = :agent_id AND day BETWEEN :first AND :last
GROUP BY task_id
ORDER BY task_id

-- name: underway_of_task
-- How many of its runs have not ended, and how long the agent has worked on them, without the time
-- in which they waited for a person.
SELECT count(*), CAST(coalesce(sum(
  CASE WHEN started_at IS NOT NULL THEN coalesce(waiting_since, :now) - started_at - waited_ms END
), 0) AS BIGINT)
FROM runs WHERE task_id = :task_id AND status IN ('pending', 'running', 'waiting')

-- name: underway_of_agent
SELECT count(*), CAST(coalesce(sum(
  CASE WHEN r.started_at IS NOT NULL
    THEN coalesce(r.waiting_since, :now) - r.started_at - r.waited_ms END
), 0) AS BIGINT)
FROM tasks t
JOIN runs r ON r.task_id = t.id AND r.status IN ('pending', 'running', 'waiting')
WHERE t.agent_id = :agent_id

-- name: owner_zone
SELECT u.timezone FROM agents a JOIN users u ON u.id = a.owner_id WHERE a.id = :agent_id

-- name: budget_day
SELECT decision_id, today FROM budget_days WHERE subject = :subject AND day = :day

-- name: open_budget_day
INSERT INTO budget_days (subject, day, decision_id) VALUES (:subject, :day, :decision_id)

-- name: say_of_budget
UPDATE budget_days SET today = :today WHERE subject = :subject AND decision_id = :decision_id

-- name: forget_budget_days
DELETE FROM budget_days WHERE subject = :subject AND day >= :day

-- name: sweep_usage
DELETE FROM usage_days WHERE (task_id, day) IN (
  SELECT task_id, day FROM usage_days WHERE day < :before_day ORDER BY day LIMIT :limit
)

-- name: sweep_budget_days
DELETE FROM budget_days WHERE (subject, day) IN (
  SELECT subject, day FROM budget_days WHERE day < :before_day ORDER BY day LIMIT :limit
)

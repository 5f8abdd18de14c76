// The table of tasks that people choose from against the tasks themselves.

import { expect, test } from "vitest";
import { taskNames } from "../../main/services/params/defaults.ts";
import { probeTaskInfo } from "../../main/services/probe-tasks.ts";
import { probeTasks } from "../../native-models/probe/tasks.ts";

test("every task has a row in both tables, with the same examples and new tokens", () => {
  expect(Object.keys(probeTaskInfo)).toEqual([...taskNames]);
  const figures = Object.values(probeTasks).map(({ name, shots, newTokens }) => [name, shots, newTokens]);
  expect(figures).toEqual(taskNames.map((name) => [name, probeTaskInfo[name].shots, probeTaskInfo[name].newTokens]));
});

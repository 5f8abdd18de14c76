// nullspace runs list|show|cancel|resume|delete|reset-votes: the runs of the store, whoever started them.

import type { Command } from "commander";
import type { RunDetail } from "../../rpc/contract.ts";
import type { Context } from "../context.ts";
import { endRun, followRun } from "../follow-run.ts";
import { command, group, whole } from "../options.ts";
import { duration } from "../progress.ts";
import { memoryLine, retentionText, validationText } from "../training-text.ts";
import { bytes, probeText, rowsText, runHead, runLine, table, votesText } from "../tables.ts";

/** Time in which a run that was asked to stop should have stopped. */
const stopWithinMs = 30_000;

export function make(context: Context): Command {
  const id = "<ID>";
  const list = command("list", "Lists the runs, newest first.").action(async () => {
    const runs = await context.client().runs.list();
    context.print({ runs }, runs.length === 0 ? "No runs yet." : table(runHead, runs.map(runLine)));
  });

  const show = command("show", "Shows one run: settings, stages, checkpoints, probes, notes.")
    .argument(id, "number of the run", whole)
    .action(async (runId: number) => {
      const run = await context.client().runs.show({ id: runId });
      context.print({ run }, runText(run));
    });

  const cancel = command("cancel", "Stops a run, also one that another process works on. It can be resumed.")
    .argument(id, "number of the run", whole)
    .action(async (runId: number) => {
      const client = context.client();
      let run = await client.runs.cancel({ id: runId });
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(stopWithinMs)]);
      if (run.isCancelling) context.note(`Run ${runId} is asked to stop.`);
      for await (const event of await client.runs.follow({ id: runId }, { signal })) {
        if (event.type === "ended" || event.type === "run") run = event.run;
      }
      if (run.status === "running" || run.status === "queued") {
        context.end({ what: `Run ${runId} has not stopped yet.`, where: `run ${runId}`, fix: "Its process will stop it as soon as it can; look again with runs show.", isBug: false }, { run });
      }
      context.print({ run: await client.runs.show({ id: runId }) }, `Run ${runId} is ${run.status}.`);
    });

  const resume = command("resume", "Goes on with a run that has stopped, from its last checkpoint or stage, and follows it to its end.")
    .argument(id, "number of the run", whole)
    .action(async (runId: number) => {
      await context.client().runs.resume({ id: runId });
      const ended = await followRun(context, runId);
      endRun(context, ended, () => runText(ended));
    });

  const remove = command("delete", "Deletes a run that has ended: its rows and its files.")
    .argument(id, "number of the run", whole)
    .action(async (runId: number) => {
      await context.client().runs.delete({ id: runId });
      context.print({ deleted: runId }, `Run ${runId} is deleted.`);
    });

  const resetVotes = command("reset-votes", "Forgets the votes of blind comparisons with a run.")
    .argument(id, "number of the run", whole)
    .action(async (runId: number) => {
      const { forgotten } = await context.client().chats.resetVotes({ runId });
      context.print({ runId, forgotten }, `${forgotten} votes on run ${runId} are forgotten.`);
    });

  return group("runs", "Runs: list, show, cancel, resume, delete, reset-votes.").addCommand(list).addCommand(show).addCommand(cancel).addCommand(resume).addCommand(remove).addCommand(resetVotes);
}

function runText(run: RunDetail): string {
  const took = run.endedMs !== null && run.workedMs !== null ? `, took ${duration(run.workedMs)}` : "";
  const stages = run.stages.map(({ stage, status, endedMs, workedMs }) => [stage, status, endedMs !== null && workedMs !== null ? duration(workedMs) : ""]);
  const lines = [
    `Run ${run.id} · ${run.name} · ${run.status}${took}`,
    `Model: ${run.modelPath}`,
    `Folder: ${run.folder} (${bytes(run.diskBytes)})`,
    ...(run.adapter === null ? [] : [`Adapter: ${run.adapter}`]),
    `Step ${run.lastStep}${run.lastLossNats === null ? "" : `, loss ${run.lastLossNats.toFixed(3)} nats a token`}`,
    ...validationText(run),
    ...retentionText(run),
    ...memoryLine(run),
    ...(run.rows === null ? [] : [rowsText(run.rows)]),
    table(["stage", "status", "time"], stages),
    ...run.probes.filter((probe) => probe.status === "done").map((probe) => `${probe.style === "knowledge" ? "World knowledge" : "Task"}:\n${probeText(probe)}`),
    ...(run.votes.length === 0 ? [] : [votesText(run.votes)]),
    ...run.notes.map((note) => `${note.kind}: ${note.text}`),
  ];
  if (run.error !== null) lines.push(`Error: ${run.error.what} ${run.error.fix}`);
  return lines.join("\n");
}

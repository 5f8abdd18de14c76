// The app's log: logs/nullspace.log in the store. Bugs with their stack, and what engine processes print.

import { join } from "node:path";
import { pino } from "pino";

/** Lines of text to the log file; written at once, so that a crash loses nothing. */
export function openLog(folder: string): (text: string) => void {
  const log = pino({ base: { pid: process.pid } }, pino.destination({ dest: join(folder, "nullspace.log"), sync: true, append: true }));
  return (text) => log.info(text.trimEnd());
}

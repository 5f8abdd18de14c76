// What runs inside the sandbox: a Python text that limits itself, then executes the program from its input.
// The process already has no network and sees no file but Python's own and an empty temp folder (sandbox.ts); here it
// loses the right to start processes or threads and gets its limits on time, memory, files.

export interface ProgramLimits {
  /** Processor time of the program. */
  cpuSeconds: number;
  /** Everything together, start and waiting too. */
  wallSeconds: number;
  memoryBytes: number;
  /** Largest file, and all files together where the temp folder is in memory. */
  fileBytes: number;
  /** Most that it may print. */
  outputBytes: number;
}

/** As the harness runs programs (code_eval: 3 seconds), with memory that Python itself cannot outgrow. */
export const usualLimits: ProgramLimits = { cpuSeconds: 3, wallSeconds: 15, memoryBytes: 1 << 30, fileBytes: 16 << 20, outputBytes: 1 << 18 };

/**
 * Input: a line with a word nobody can guess, then the program. Last line of the output: that word, and "passed" or why
 * not. A program that leaves in any other way (exit, a signal) leaves no such line and has not passed.
 * `exec` in an empty module is how the harness runs programs; `__name__` is not "__main__" there.
 */
export function bootstrapText({ cpuSeconds, memoryBytes, fileBytes }: ProgramLimits): string {
  return `
import sys, resource
secret = sys.stdin.buffer.readline().decode().strip()
source = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
def limit(name, value):
    kind = getattr(resource, name, None)
    if kind is not None:
        try: resource.setrlimit(kind, (value, value))
        except (ValueError, OSError): pass
limit("RLIMIT_AS", ${memoryBytes})
limit("RLIMIT_DATA", ${memoryBytes})
limit("RLIMIT_FSIZE", ${fileBytes})
limit("RLIMIT_NOFILE", 64)
limit("RLIMIT_CORE", 0)
limit("RLIMIT_NPROC", 1)
limit("RLIMIT_CPU", ${cpuSeconds} + 1)
def run():
    try:
        exec(source, {})
        return "passed"
    except BaseException as error:
        said = " ".join(str(error).split())[:300]
        return type(error).__name__ + (": " + said if said else "")
said = run()
sys.__stdout__.write("\\n" + secret + " " + said + "\\n")
sys.__stdout__.flush()
`;
}

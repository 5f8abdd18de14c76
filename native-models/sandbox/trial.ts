// A program that tries to break out of the sandbox. It passes only where every try was refused and a temp file was not.

export interface TrialPlaces {
  /** The user's home folder. */
  home: string;
  /** Files and folders of the user that exist outside: none may be seen. */
  unseen: readonly string[];
}

export function trialProgram({ home, unseen }: TrialPlaces): string {
  return `
import os, socket, tempfile
broken = []
def refused(name, attempt):
    try: attempt()
    except (OSError, MemoryError, RuntimeError): return
    broken.append(name)
def write_home(): open(os.path.join(${JSON.stringify(home)}, ".nullspace-trial"), "w").close(); os.remove(os.path.join(${JSON.stringify(home)}, ".nullspace-trial"))
def write_usr(): open("/usr/.nullspace-trial", "w").close(); os.remove("/usr/.nullspace-trial")
def connect():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("192.0.2.1", 53))
def fork():
    if os.fork() == 0: os._exit(0)
if any(os.path.lexists(path) for path in ${JSON.stringify(unseen)}): broken.append("it sees your files")
if ${JSON.stringify(home)} != "/": refused("it can write to your home folder", write_home)
refused("it can write to /usr", write_usr)
refused("it reaches a network", connect)
refused("it can start processes", fork)
with tempfile.TemporaryFile() as f: f.write(b"x")
assert not broken, "broke out: " + ", ".join(broken)
`;
}

/** What the trial managed to do; null where it failed for another reason. */
export function brokenOut(verdict: string): string | null {
  return /^AssertionError: broke out: (.*)$/.exec(verdict)?.[1] ?? null;
}

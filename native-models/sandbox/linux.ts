// Sandboxes of Linux: namespaces of their own for files, network and processes, by bubblewrap or by unshare (util-linux).
// Inside are the system's programs and Python's library, read-only, and an empty /tmp in memory. Nothing of /home or /etc
// is there. The end of the first process inside is the end of all of them.

import type { Python } from "./python.ts";
import type { ProgramLimits } from "./bootstrap.ts";

export interface SandboxCommand {
  command: string;
  args: string[];
}

/** Where programs and libraries are, on one system or another. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store"];

function foldersOf({ folders }: Python): string[] {
  const isCovered = (folder: string): boolean => systemFolders.some((system) => folder === system || folder.startsWith(`${system}/`));
  return [...systemFolders, ...folders.filter((folder) => !isCovered(folder))];
}

export function bubblewrap(python: Python, code: string, { fileBytes, wallSeconds }: ProgramLimits): SandboxCommand {
  const binds = foldersOf(python).flatMap((folder) => ["--ro-bind-try", folder, folder]);
  const args = [
    "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--die-with-parent", "--new-session", "--clearenv",
    ...binds, "--dev", "/dev", "--size", String(4 * fileBytes), "--tmpfs", "/tmp", "--chdir", "/tmp", ...setenv(),
    "timeout", "-s", "KILL", String(wallSeconds), python.path, "-I", "-S", "-c", code,
  ];
  return { command: "bwrap", args };
}

const environment: Record<string, string> = { PATH: "/usr/bin:/bin", HOME: "/tmp", TMPDIR: "/tmp", LANG: "C.UTF-8", PYTHONHASHSEED: "0" };
const setenv = (): string[] => Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]);

/**
 * The same by hand. As root the program runs as nobody, since limits on processes do not hold for root; as another user it
 * is root of a user namespace of its own, without capabilities. `root` is an empty folder where the new root is put.
 */
export function unshared(python: Python, code: string, { fileBytes, wallSeconds }: ProgramLimits, root: string, isRoot: boolean): SandboxCommand {
  const namespaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private"];
  const identity = isRoot ? ["--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const run = ["timeout", "-s", "KILL", String(wallSeconds), "setpriv", ...identity, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", python.path, "-I", "-S", "-c", code];
  const inside = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return {
    command: "unshare",
    args: [...(isRoot ? [] : ["--user", "--map-root-user"]), ...namespaces, "sh", "-c", setUp, "sh", root, String(4 * fileBytes), foldersOf(python).join(":"), "env", "-i", ...inside, ...run],
  };
}

// $1 new root, $2 bytes of /tmp, $3 folders; the rest is what runs. A folder that is a link (/bin → usr/bin) stays one.
// /proc is only there for umount, which reads it.
const setUp = `
set -e
root=$1; size=$2; folders=$3; shift 3
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root"
IFS=:
for folder in $folders; do
  if [ -L "$folder" ]; then
    mkdir -p "$root$(dirname "$folder")"; ln -s "$(readlink "$folder")" "$root$folder"
  elif [ -d "$folder" ]; then
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
    mount -o remount,bind,ro,nosuid,nodev "$root$folder"
  fi
done
unset IFS
mkdir "$root/dev" "$root/tmp" "$root/old" "$root/proc"
mount --rbind /proc "$root/proc"
touch "$root/dev/null"; mount --bind /dev/null "$root/dev/null"
mount -t tmpfs -o "size=$size,mode=1777,nosuid,nodev" tmpfs "$root/tmp"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
mount -o remount,bind,ro,nosuid,nodev /
umount -l /proc
cd /tmp
exec "$@"
`;

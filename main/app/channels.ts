// Names of the messages between the preload script and the shell. Nothing else crosses that border but the rpc port.

export const channels = {
  connect: "nullspace:connect",
  chooseFolder: "nullspace:choose-folder",
  chooseFile: "nullspace:choose-file",
  showProgress: "nullspace:show-progress",
} as const;

/** The programs of Debian that tests and measurements use: which there are, and how the others come. */

/** Program -> the package of Debian that has it. */
const PACKAGES: Readonly<Record<string, string>> = {
  autossh: "autossh",
  certutil: "libnss3-tools",
  chromium: "chromium",
  curl: "curl",
  dbclient: "dropbear-bin",
  dropbear: "dropbear-bin",
  dropbearconvert: "dropbear-bin",
  dropbearkey: "dropbear-bin",
  fish: "fish",
  "fail2ban-regex": "fail2ban",
  haproxy: "haproxy",
  ip: "iproute2",
  iptables: "iptables",
  mosquitto: "mosquitto",
  mosquitto_pub: "mosquitto-clients",
  mosquitto_sub: "mosquitto-clients",
  nc: "netcat-openbsd",
  nginx: "nginx",
  node: "nodejs",
  openssl: "openssl",
  pebble: "pebble",
  plink: "putty-tools",
  ps: "procps",
  puttygen: "putty-tools",
  python3: "python3",
  rsync: "rsync",
  scp: "openssh-client",
  script: "bsdutils",
  sftp: "openssh-client",
  slowhttptest: "slowhttptest",
  socat: "socat",
  ssh: "openssh-client",
  "ssh-add": "openssh-client",
  "ssh-agent": "openssh-client",
  "ssh-keygen": "openssh-client",
  "ssh-keyscan": "openssh-client",
  sshd: "openssh-server",
  "systemd-analyze": "systemd",
  unshare: "util-linux",
  wrk: "wrk",
  zsh: "zsh",
  // A library: its place stands for it.
  "/usr/lib/python3/dist-packages/asyncssh/__init__.py": "python3-asyncssh",
};

/** What every system test together asks for. */
export const TEST_CLIENTS = Object.keys(PACKAGES);

/** Servers stand where the path of ordinary users does not lead. */
const FOLDERS = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Where a program is; undefined: not on this machine. */
export function find(program: string): string | undefined {
  if (program.startsWith("/")) return isFile(program) ? program : undefined;
  return FOLDERS.filter((folder) => folder.startsWith("/")).map((folder) => `${folder}/${program}`).find(
    isProgram,
  );
}

/**
 * Whether all programs are there. One that is missing is told aloud and the test is to be ignored; where nothing may
 * be skipped (CI=true) it is an error.
 */
export function need(...programs: string[]): boolean {
  const absent = programs.filter((program) => !find(program));
  if (absent.length === 0) return true;
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot test with ${absent.join(", ")}: not installed`);
  console.error(`SKIPPED what needs ${absent.join(", ")}: not installed (${packagesOf(absent).join(" ")})`);
  return false;
}

/** Installs what is missing where this is root on Debian, and answers what is missing in the end. */
export async function install(programs: readonly string[]): Promise<string[]> {
  const absent = programs.filter((program) => !find(program));
  if (absent.length === 0) return [];
  const packages = packagesOf(absent);
  if (Deno.uid() !== 0 || !find("apt-get")) {
    console.error(`Missing: ${absent.join(", ")}. As root: apt-get install ${packages.join(" ")}`);
    return absent;
  }
  console.error(`Installing ${packages.join(" ")} ...`);
  await startingNothing(async () => {
    // An old list can still do; what counts is whether the packages come.
    await apt("update");
    await apt("install", "-y", "--no-install-recommends", ...packages);
  });
  return absent.filter((program) => !find(program));
}

function packagesOf(programs: readonly string[]): string[] {
  return [...new Set(programs.map((program) => PACKAGES[program] ?? program))].sort();
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isProgram(path: string): boolean {
  try {
    const found = Deno.statSync(path);
    return found.isFile && (found.mode! & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** The packages of servers start them; while this file is there (invoke-rc.d(8)) they do not. */
async function startingNothing(act: () => Promise<void>): Promise<void> {
  const policy = "/usr/sbin/policy-rc.d";
  try {
    await Deno.writeTextFile(policy, "#!/bin/sh\nexit 101\n", { createNew: true, mode: 0o755 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return await act();
    throw error;
  }
  try {
    await act();
  } finally {
    await Deno.remove(policy);
  }
}

/** Runs apt-get without questions, at most five minutes; what it says is shown only where it fails. */
async function apt(...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("apt-get", {
    args: ["-qq", "-o", "DPkg::Lock::Timeout=120", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    signal: AbortSignal.timeout(300_000),
  }).output();
  if (success) return;
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  console.error(`apt-get ${args[0]} failed:\n${said.slice(-2000)}`);
}

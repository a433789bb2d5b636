/**
 * The unit that scripts/install.sh writes, run by a real systemd in a machine of its own: installed, reloaded, drained,
 * activated by a socket, and gone again. UGATE_BINARY names the program.
 */
import { need } from "../../scripts/clients.ts";
import { equal } from "../support/assert.ts";
import { givenBinary } from "../support/binary.ts";
import { Folder, run } from "../support/child.ts";

const path = (relative: string) => new URL(relative, import.meta.url).pathname;
const MACHINE = path("../support/systemd_machine.sh");
const SCRIPT = path("../../scripts/install.sh"), SOCKET = path("../../scripts/install/ugate.socket");
/** What systemd_machine.sh answers where it may not make namespaces, or finds no systemd. */
const NOT_HERE = 77;
const BYTES = 8 << 20;

/** Runs in the machine as root; `note` says what the test compares. */
const STEPS = `#!/bin/sh
note() { echo "$1:" $2 >> notes; }
again() { for _ in $(seq 100); do "$@" && return; sleep 0.1; done; return 1; }
get() { curl -sS --max-time 20 "$@" | wc -c; }
state() { systemctl show --value -p "$1" ugate.service; }
config() { cat > /etc/ugate/ugate.yaml; }

mkdir /srv/web
head -c ${BYTES} /dev/zero > /srv/web/bytes
python3 -m http.server 8099 --bind 127.0.0.1 --directory /srv/web 2> /dev/null &
again curl -s -o /dev/null http://127.0.0.1:8099/

mkdir -p /etc/systemd/system/ugate.service.d
# A stop takes longer than this: the gate asks for the time.
printf '[Service]\\nStandardError=append:/mnt/log\\nTimeoutStopSec=1s\\n' > /etc/systemd/system/ugate.service.d/log.conf
./install.sh ./ugate
note install "$?"
note active "$(state ActiveState) $(state SubState) $(state NRestarts)"
note process "$(grep -E '^(CapEff|NoNewPrivs|Seccomp):' "/proc/$(state MainPID)/status")"
note user "$(stat -c %U "/proc/$(state MainPID)")"
note socks "$(get -x socks5h://127.0.0.1:15080 http://localhost:8099/bytes)"
./install.sh ./ugate > /dev/null
note "installed again" "$? $(state NRestarts)"

pid=$(state MainPID)
config << 'END'
listeners: { local: { address: "127.0.0.1:15080", protocols: [socks] }, edge: { address: ":443", to: "127.0.0.1:8099" } }
END
systemctl reload ugate
note reload "$?"
again curl -s -o /dev/null http://127.0.0.1:443/
note "after it" "$(get http://127.0.0.1:443/bytes)"
echo 'listeners: { edge: { adress: ":443" } }' | config
systemctl reload ugate
note "broken reload" "$? $(get http://127.0.0.1:443/bytes)"
echo 'listeners: { edge: { address: ":443", to: "127.0.0.1:8099" }, taken: { address: "127.0.0.1:8099", to: "127.0.0.1:1" } }' | config
systemctl reload ugate
note "refused reload" "$? $(get http://127.0.0.1:443/bytes)"
[ "$(state MainPID)" = "$pid" ]
note "same process" "$?"

(curl -sS --max-time 20 --no-buffer --limit-rate 4M -o got.part http://127.0.0.1:443/bytes) &
transfer=$!
again test -s got.part
systemctl stop ugate
note stop "$? $(state Result)"
wait "$transfer"
note "transfer under way" "$(wc -c < got.part)"

echo 'listeners: { edge: { address: ":443", to: "127.0.0.1:8099" } }' | config
cp ugate.socket /etc/systemd/system/
systemctl daemon-reload
systemctl start ugate.socket ugate.service
note "socket" "$? $(get http://127.0.0.1:443/bytes)"
(for _ in $(seq 40); do curl -s -o /dev/null --max-time 20 http://127.0.0.1:443/ || echo refused; sleep 0.05; done > refused) &
clients=$!
systemctl restart ugate
note "restart" "$?"
wait "$clients"
note "refused meanwhile" "$(wc -l < refused)"

./install.sh --uninstall
note "uninstall" "$? $(stat -c %U:%G /etc/ugate/ugate.yaml)"
id ugate
note "user is there" "$?"
./install.sh --uninstall --purge
note "purge" "$?"
note "left" "$(find /usr/local/bin /etc /var/lib /run -xdev -name '*ugate*' -not -path '/run/credentials/*' 2> /dev/null)"
note "listening" "$(curl -s -o /dev/null --max-time 5 http://127.0.0.1:443/ || echo nobody)"
`;

/** Exit codes, sizes, and what is left, in order. */
const EXPECTED = [
  "install: 0",
  "active: active running 0",
  "process: CapEff: 0000000000000400 NoNewPrivs: 1 Seccomp: 2", // CAP_NET_BIND_SERVICE alone; filtered
  "user: ugate",
  `socks: ${BYTES}`,
  "installed again: 0 0",
  "reload: 0",
  `after it: ${BYTES}`,
  `broken reload: 1 ${BYTES}`,
  `refused reload: 1 ${BYTES}`,
  "same process: 0",
  "stop: 0 success",
  `transfer under way: ${BYTES}`,
  `socket: 0 ${BYTES}`,
  "restart: 0",
  "refused meanwhile: 0",
  "uninstall: 0 root:root",
  "user is there: 1",
  "purge: 0",
  "left:",
  "listening: nobody",
];

const BINARY = await givenBinary();

Deno.test({
  name: "systemd runs the unit: installed, reloaded, drained, activated by a socket, and gone",
  ignore: BINARY === undefined || !need("curl", "ip", "python3", "unshare"),
  async fn() {
    await using folder = await Folder.make();
    await Deno.copyFile(BINARY!, `${folder.path}/ugate`);
    await Deno.copyFile(SCRIPT, `${folder.path}/install.sh`);
    await Deno.copyFile(SOCKET, `${folder.path}/ugate.socket`);
    await folder.write("steps", STEPS, 0o755);
    const { code, stderr } = await run("sh", [MACHINE, folder.path]);
    if (code === NOT_HERE) {
      console.error(`SKIPPED the unit in a real systemd: this machine does not let us\n${stderr}`);
      return;
    }
    equal(code, 0, stderr);
    const read = (name: string) => Deno.readTextFile(`${folder.path}/${name}`).catch(() => "");
    const said = `${await read("output")}\n${await read("log")}`;
    const notes = (await read("notes")).trim().split("\n");
    equal(notes, EXPECTED, said);
  },
});

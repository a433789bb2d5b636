#!/bin/sh
# Installs ugate as a service of systemd, upgrades it, goes back, and takes it away again. This file and the binary are
# all it needs.
set -eu
umask 022 # what is meant for fewer gets its own mode

usage() {
  cat << 'END'
Usage: install.sh [--force] [--no-start] [--root DIR] [FILE]       install FILE, or upgrade to it
       install.sh --rollback [--force] [--no-start] [--root DIR]   put the version before back; again undoes it
       install.sh --uninstall [--purge] [--root DIR]               leave what you wrote, and nothing else

FILE is the binary; left out, it is ugate-CPU-unknown-linux-gnu beside this script, or in ../dist from there.

  --force      go on although the program finds mistakes in the configuration that is there
  --no-start   start nothing, restart nothing
  --purge      leave nothing: the configuration goes, what else is in /etc/ugate, and drop-ins of the unit
  --root DIR   work below DIR (an image, a test): no user is made, nothing is started

What it makes: /usr/local/bin/ugate (and ugate.previous), /etc/ugate/ugate.yaml where none is,
/etc/systemd/system/ugate.service, the user ugate, and what ugate keeps in /var/lib/ugate.
Exit codes: 0 done, 1 failed, 2 used wrongly.
END
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'Cannot %s\n' "$*" >&2
  exit 1
}
misused() {
  printf '%s\n\n' "$1" >&2
  usage >&2
  exit 2
}

# A name of our own in /etc/passwd tells a user that this script made.
user=ugate comment='ugate gateway'
newline='
'

unit_text() {
  cat << 'END'
[Unit]
Description=ugate, one port to anywhere
Wants=network-online.target
After=network-online.target nss-lookup.target

[Service]
Type=notify
ExecStart=/usr/local/bin/ugate run -c /etc/ugate/ugate.yaml
# `systemctl reload` fails where the file is broken, before the gate hears of it, and where the gate refuses it, as with
# a port that another program has. It needs the admin page; without one: ExecReload=/bin/sh -c "kill -HUP $MAINPID"
ExecReload=/usr/local/bin/ugate check -c /etc/ugate/ugate.yaml
ExecReload=/usr/local/bin/ugate reload -c /etc/ugate/ugate.yaml
EnvironmentFile=-/etc/ugate/environment
Environment=XDG_STATE_HOME=/var/lib
WatchdogSec=30s
Restart=on-failure
RestartSec=1s
# Used wrongly: another start would change nothing.
RestartPreventExitStatus=2
KillMode=mixed
KillSignal=SIGTERM
TimeoutStartSec=30s
# For a gate that says nothing any more: one that waits for its connections (limits.grace) asks for more time.
TimeoutStopSec=45s

User=ugate
Group=ugate
UMask=0077
ConfigurationDirectory=ugate
ConfigurationDirectoryMode=0750
RuntimeDirectory=ugate
RuntimeDirectoryMode=0755
StateDirectory=ugate
StateDirectoryMode=0700
# Two descriptors for each of limits.connections.
LimitNOFILE=65536

AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
# MemoryDenyWriteExecute and LimitAS are not here: V8 compiles JavaScript into memory that it then runs.
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
END
}

configuration_text() {
  cat << 'END'
# What this gate does. `ugate check` tells every mistake with its place, `ugate explain` what a connection would get.
# A changed file is applied at once and cuts nobody; a broken one changes nothing. Examples begin with # and no space.
# ${NAME} is taken from /etc/ugate/environment (NAME=value, a line each; then systemctl restart ugate).

# Where connections come in, and what they may speak.
listeners:
  # For this machine alone: SOCKS 4, 4a and 5, HTTP CONNECT, and TLS by its name.
  local: { address: "127.0.0.1:15080", protocols: [socks, connect, tls] }

  # One port for everything: the first bytes tell what it is, the routes below where it goes.
#  edge: { address: ":443", protocols: [tls, ssh, mqtt], fallback: "127.0.0.1:2525" }

  # A plain forward: nothing is looked at.
#  app: { address: ":8000", to: "unix:/run/app.sock" }

  # A proxy for a network: who may use it is said here, what they may reach under policy.
#  proxy: { address: ":1080", protocols: [socks, connect], users: { alice: "${ALICE_PASSWORD}" } }

# Where what came in goes. The first that matches; TLS goes on as it came.
#routes:
#  - { host: git.example.com, to: "10.0.0.5:8443" }
#  - { host: "*.apps.example.com", to: ["10.0.0.6:443", "10.0.0.7:443"] }
#  - { protocol: ssh, to: "127.0.0.1:22" }
#  - { protocol: mqtt, to: "10.0.0.8:1883" }

# Where names live, before DNS is asked.
#hosts:
#  db.internal: { addresses: ["10.0.0.7"] }

# Who may reach what. The first that matches; beyond loopback: no.
#policy:
#  - { allow: { user: alice, hosts: "*.example.com", ports: [443, "8000-8999"] } }

# The defaults; a connection needs two descriptors (LimitNOFILE of the unit).
#limits: { connections: 20000, perSource: 1000, dialTimeout: 10s, idleTimeout: 1h, grace: 30s }

# Status and numbers, for this machine alone.
admin: { address: "127.0.0.1:15000" }
END
}

# --- what was asked for

action=install root='' force='' purge='' start=yes file=''
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --uninstall) action=uninstall ;;
    --rollback) action=rollback ;;
    --force) force=yes ;;
    --purge) purge=yes ;;
    --no-start) start='' ;;
    --root)
      [ $# -ge 2 ] || misused '--root needs a directory'
      root=$2
      shift
      ;;
    -*) misused "$1: no such option" ;;
    *)
      [ -z "$file" ] || misused "$1: one FILE is enough"
      file=$1
      ;;
  esac
  shift
done
[ "$action" = install ] || [ -z "$file" ] || misused "--$action takes no FILE"
[ "$action" != uninstall ] || [ -z "$force" ] || misused '--uninstall takes no --force'
[ "$action" = uninstall ] || [ -z "$purge" ] || misused '--purge belongs to --uninstall'

if [ -n "$root" ]; then
  root=$(cd "$root" 2> /dev/null && pwd) || die "work below that root: it is no directory"
  [ "$root" != / ] || root=''
fi
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die "$action: only root may (sudo sh install.sh ...)"

bin=$root/usr/local/bin
binary=$bin/ugate previous=$bin/ugate.previous staged=$bin/.ugate.new
etc=$root/etc/ugate
configuration=$etc/ugate.yaml environment=$etc/environment
units=$root/etc/systemd/system
unit=$units/ugate.service
state=$root/var/lib/ugate

# Whether systemd runs here and this is about the running system.
on_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ] && command -v systemctl > /dev/null; }

# --- steps

# Writes stdin to a file where it holds something else; whether it did.
put() {
  cat > "$1.new"
  chmod "$2" "$1.new"
  if [ -f "$1" ] && cmp -s "$1.new" "$1"; then
    rm "$1.new"
    return 1
  fi
  mv -f "$1.new" "$1"
}

make_user() {
  [ -z "$root" ] || return 0
  id "$user" > /dev/null 2>&1 && return 0
  command -v useradd > /dev/null || die "make the user $user: useradd is not there"
  useradd --system --user-group --no-create-home --home-dir /var/lib/ugate --shell /usr/sbin/nologin \
    --comment "$comment" "$user"
  say "made the user $user"
}

# Whether a program holds the configuration that is there to be right, with the variables that the unit would give it.
# They are exported, for arguments can be read by everybody.
check_configuration() (
  if [ -f "$environment" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      name=${line%%=*} value=${line#*=}
      case $name in "$line" | [!A-Za-z_]* | *[!A-Za-z0-9_]*) continue ;; esac
      case $value in \"*\" | "'"*"'") value=${value#?} value=${value%?} ;; esac # systemd takes quotes away
      export "$name=$value"
    done < "$environment"
  fi
  exec "$1" check -c "$configuration" > /dev/null
)

# Ends where the program that is to run finds mistakes in the configuration.
demand_right() {
  [ -e "$configuration" ] && [ -z "$force" ] || return 0
  check_configuration "$1" ||
    die "$2: that version finds these mistakes in $configuration; nothing was changed (--force: all the same)"
}

# Nothing is run as root that is no program: a script would be, and a text line by line.
is_program() { [ "$(head -c 4 "$1" | od -A n -t x1 | tr -d ' \n')" = 7f454c46 ]; } # ELF

stage() {
  is_program "$file" || die "install $file: it is no program"
  mkdir -p "$bin" "$units"
  trap 'rm -f "$staged"' EXIT
  cp "$file" "$staged" || die "read $file"
  chmod 0755 "$staged"
  version=$("$staged" version) || die "install $file: it does not run on this machine ($(uname -m)), or is not ugate"
  version=${version%%"$newline"*} # the other lines are about this machine
  case $version in
    'ugate '*) ;;
    *) die "install $file: it is not ugate" ;;
  esac
}

write_configuration() {
  mkdir -p "$etc"
  if [ ! -e "$configuration" ]; then
    configuration_text | put "$configuration" 0640
    say "wrote $configuration: a proxy for this machine alone"
  fi
  [ -n "$root" ] && return
  # Its secrets are for root and the gate.
  chown "root:$user" "$etc" "$configuration"
  chmod 0750 "$etc"
}

install_all() {
  if [ -z "$file" ]; then
    here=$(dirname "$0") name=ugate-$(uname -m)-unknown-linux-gnu
    file=$here/$name
    [ -f "$file" ] || file=$here/../dist/$name
  fi
  [ -f "$file" ] || misused "$file: no such file"
  stage
  demand_right "$staged" install
  make_user
  write_configuration
  changed=''
  if [ -f "$binary" ] && cmp -s "$staged" "$binary"; then
    rm "$staged"
  else
    # A name in the same directory, moved over the other: at every moment there is a whole program.
    [ ! -f "$binary" ] || ln -f "$binary" "$previous"
    mv -f "$staged" "$binary"
    changed=yes
  fi
  if unit_text | put "$unit" 0644; then changed=yes; fi
  if [ -n "$changed" ]; then
    say "installed $version"
  else
    say "$version was there already"
  fi
  begin
}

# Starts what is new; restarts it only where something has changed.
begin() {
  if ! on_systemd; then
    [ -n "$root" ] || say "systemd does not run here: start $binary run -c $configuration yourself"
    return 0
  fi
  systemctl daemon-reload
  [ -n "$start" ] || return 0
  systemctl enable --quiet ugate.service
  if [ -n "$changed" ] || ! systemctl is-active --quiet ugate.service; then
    systemctl restart ugate.service ||
      die "start ugate: journalctl -u ugate tells why (install.sh --rollback goes back to the version before)"
  fi
  say "ugate runs; systemctl status ugate, journalctl -u ugate"
}

rollback() {
  [ -f "$previous" ] || die "go back: there is no $previous"
  demand_right "$previous" 'go back'
  trap 'rm -f "$staged"' EXIT
  ln -f "$binary" "$staged"
  mv -f "$previous" "$binary"
  mv -f "$staged" "$previous"
  say "went back to $("$binary" version | head -n 1)"
  changed=yes
  begin
}

# What is not of this script's making, a line each.
own_work() {
  if [ -f "$configuration" ] && ! configuration_text | cmp -s - "$configuration"; then say "$configuration"; fi
  for path in "$etc"/* "$etc"/.[!.]* "$unit.d" "$units"/ugate*.socket; do
    if [ -e "$path" ] && [ "$path" != "$configuration" ]; then say "$path"; fi
  done
}

uninstall() {
  if on_systemd; then
    for path in "$units"/ugate*.socket "$unit"; do
      [ ! -f "$path" ] || systemctl disable --quiet --now "$(basename "$path")" || true
    done
  fi
  rm -rf "$binary" "$previous" "$staged" "$unit" "$state" "$root/run/ugate"
  rm -f "$units"/*.wants/ugate.service "$units"/*.wants/ugate*.socket
  if [ -n "$purge" ]; then rm -rf "$etc" "$unit.d" "$units"/ugate*.socket; fi
  if [ -f "$configuration" ] && configuration_text | cmp -s - "$configuration"; then rm "$configuration"; fi
  [ ! -d "$etc" ] || rmdir "$etc" 2> /dev/null || true
  if on_systemd; then
    systemctl daemon-reload
    systemctl reset-failed ugate.service 2> /dev/null || true
  fi
  if [ -z "$root" ] && [ "$(getent passwd "$user" | cut -d: -f5)" = "$comment" ]; then remove_user; fi
  say "ugate is gone"
  kept=$(own_work)
  [ -z "$kept" ] || printf 'kept, for you wrote it (--uninstall --purge removes it too):\n%s\n' "$kept"
}

# Another user may get its numbers one day: what is kept is not for that one.
remove_user() {
  if [ -d "$etc" ]; then
    find "$etc" -user "$user" -exec chown -h root {} +
    find "$etc" -group "$user" -exec chgrp -h root {} +
  fi
  userdel "$user"
}

case $action in
  install) install_all ;;
  rollback) rollback ;;
  uninstall) uninstall ;;
esac

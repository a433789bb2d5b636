#!/bin/sh
# systemd_machine.sh FOLDER: boots systemd in namespaces of its own, on a copy of this machine's files that is thrown
# away, with nothing in it but FOLDER/steps as a service; ends with it. FOLDER is /mnt there. Exit code: 77 where this
# machine does not let us, else 0; what the steps did they tell in FOLDER.
set -eu
folder=$1

# Seconds for everything: then the machine is switched off.
most=50

if [ "${2:-}" != inside ]; then
  groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
  own=$groups/ugate-test-$$
  if [ ! -x /lib/systemd/systemd ] || [ -z "$groups" ] || ! mkdir "$own"; then exit 77; fi
  # A shell of its own goes into the group: this one stays outside, to remove it in the end.
  sh -c 'echo $$ > "$1/cgroup.procs" && exec timeout --signal=KILL "$2" \
    unshare --fork --kill-child --pid --mount --cgroup --uts --ipc --net sh "$3" "$4" inside' \
    sh "$own" "$most" "$0" "$folder" || true
  for _ in 1 2 3 4 5; do # what is killed takes a moment to be gone
    find "$own" -depth -type d -exec rmdir {} \; 2> /dev/null && break
    sleep 0.2
  done
  [ -f "$folder/booted" ] || exit 77
  exit 0
fi

root=$folder/machine
mkdir "$root"
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
cd "$root/all"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
# Devices of its own, or it would name those of this machine.
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
for path in run tmp etc/systemd/system; do mount -t tmpfs tmpfs "$path"; done
mount --bind "$folder" mnt
ip link set lo up

cd etc/systemd/system
for target in sysinit basic network-online nss-lookup sockets multi-user shutdown; do
  printf '[Unit]\nDefaultDependencies=no\n' > "$target.target"
done
cat > steps.service << 'END'
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh -c "touch /mnt/booted && cd /mnt && exec ./steps > /mnt/output 2>&1"
TimeoutStartSec=infinity
END

cd "$root/all"
mkdir -p tmp/old
pivot_root . tmp/old
cd /
umount -l /tmp/old
# Units of this machine are none of its business.
exec env -i container=ugate-test SYSTEMD_UNIT_PATH=/etc/systemd/system PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=steps.service --log-target=console --log-level=notice --show-status=no

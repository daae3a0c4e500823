#!/usr/bin/env bash
# Runs one engine below the directory DIR, listening at DIR/engine.sock, until it is killed. To be called in new network, mount, pid and
# ipc namespaces: whatever the engine sets up there goes with them, and the machine's own Engine, addresses and firewall are not touched.
# Usage: start-engine.sh docker|rootless-docker|podman|rootless-podman DIR [DOCKERD]
set -euo pipefail
kind=$1 dir=$2 dockerd=${3:-}
socket=unix://$dir/engine.sock
uid=10100

ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p "$dir"/{data,run,tmp}
# Where it is by default.
ln -s "$dir/engine.sock" /run/docker.sock

# An ordinary user with subordinate ids, whom only this mount namespace knows.
as_user() {
  mkdir -p "$dir/etc" "$dir/home"
  for file in passwd group subuid subgid; do touch "/etc/$file" && cp "/etc/$file" "$dir/etc/$file"; done
  echo "rootless:x:$uid:$uid::$dir/home:/bin/sh" >>"$dir/etc/passwd"
  echo "rootless:x:$uid:" >>"$dir/etc/group"
  echo "rootless:200000:65536" | tee -a "$dir/etc/subuid" >>"$dir/etc/subgid"
  for file in passwd group subuid subgid; do mount --bind "$dir/etc/$file" "/etc/$file"; done
  # For every user, as udev has it; not every machine has udev.
  mkdir -p /dev/net && mount -t tmpfs tmpfs /dev/net && mknod --mode=666 /dev/net/tun c 10 200
  chown -R "$uid:$uid" "$dir"
  chmod 700 "$dir/run"
  cd /
  setpriv --reuid=$uid --regid=$uid --init-groups --inh-caps=-all \
    env -i PATH="$PATH" HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run" TMPDIR="$dir/tmp" "$@"
}

of_docker=(--host "$socket" --data-root "$dir/data" --exec-root "$dir/run/docker" --pidfile "$dir/run/docker.pid" --iptables=false --ip6tables=false)
of_podman=(--cgroup-manager cgroupfs --events-backend file --runtime runc --storage-driver overlay)

# Not exec: the first process has to stay root's, else the kernel forgets that it is to be killed with whoever started it.
case $kind in
  docker) "$dockerd" "${of_docker[@]}" --cgroup-parent "/postern-engines/${dir##*/}" ;;
  rootless-docker)
    as_user rootlesskit --net=slirp4netns --mtu=65520 --disable-host-loopback --port-driver=builtin --copy-up=/etc --copy-up=/run \
      --propagation=rslave sh -c 'rm -f /run/docker /run/containerd; exec "$@"' sh "$dockerd" --rootless "${of_docker[@]}"
    ;;
  podman) TMPDIR=$dir/tmp podman --root "$dir/data" --runroot "$dir/run" "${of_podman[@]}" system service --time=0 "$socket" ;;
  rootless-podman) as_user podman "${of_podman[@]}" system service --time=0 "$socket" ;;
esac

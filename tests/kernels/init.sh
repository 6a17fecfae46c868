#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# Process 1 of the virtual machine: runs taskmond and the tests of the kernel side; the host reads what stands between
# "@@begin NAME" and "@@end NAME EXIT_CODE SECONDS" on the console.
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/ LANG=C GTEST_COLOR=no
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
stty -F /dev/console -onlcr 2>/dev/null
for module in /modules/*.ko; do insmod "$module"; done
mount -t ext4 /dev/vda /var/tmp || echo "@@note no disk: /var/tmp is in memory"
mkdir -p /run/taskmon

uptime_s() { cut -d. -f1 /proc/uptime; }

# section NAME LIMIT_S command…: its output between markers, whatever becomes of it
section() {
  name=$1 limit=$2 began=$(uptime_s)
  shift 2
  echo "@@begin $name"
  timeout -s KILL "$limit" "$@" 2>&1 </dev/null
  code=$?
  echo
  echo "@@end $name $code $(($(uptime_s) - began))"
}

# A section with JSON alone; what is said beside it comes behind.
answer() {
  name=$1 limit=$2
  shift 2
  section "$name" "$limit" sh -c 'exec "$@" 2>/tmp/said' sh "$@"
  while read -r line; do echo "@@note $name: $line"; done </tmp/said
}

start_taskmond() {
  cat >/tmp/taskmond.toml <<TOML
socket = "/run/taskmon/taskmond.sock"
state_dir = "/var/tmp/taskmon"
interval = "500ms"
[kernel]
hooks = ["sched", "signal", "syscall", "oom", "page_cache", "page_cache_lookup", "block", "net", "connect"]
[smaps]
per_target = "500ms"
per_second = "250ms"
# An emulated CPU is slow; nothing is to be left out for that.
[budget]
cpu_percent = 0
bpf_percent = 0
stall_per_second = "0s"
TOML
  taskmond --config /tmp/taskmond.toml >/tmp/taskmond.log 2>&1 &
  taskmond=$!
  tries=0
  while [ $tries -lt 180 ]; do
    kill -0 $taskmond 2>/dev/null || return 1
    taskmonctl status -o json 2>/dev/null | grep -q '"last_tick_ns":[1-9]' && return 0
    sleep 1
    tries=$((tries + 1))
  done
  return 1
}

await_file() {
  tries=0
  while [ ! -e "$1" ] && [ $tries -lt 60 ]; do
    sleep 1
    tries=$((tries + 1))
  done
}

ask_taskmond() {
  workload >/dev/null 2>&1 &
  worker=$!
  await_file /tmp/workload.ready
  sleep 2
  answer doctor 60 taskmonctl doctor -o json
  answer status 60 taskmonctl status -o json
  answer ps 60 taskmonctl ps -f all -o json
  answer ps_worker 60 taskmonctl ps "tid == $worker" -f all -o json
  kill -TERM $worker
  wait $worker
  sleep 2
  answer events 60 taskmonctl events --type fork,exec,exit -b 10m -o json
  answer exit_worker 60 taskmonctl events "tid == $worker" --type exit -b 10m -o json
  answer history 60 taskmonctl history --tid $worker -b 10m -f cpu,rss,offcpu_max -o json
  kill -TERM $taskmond
  wait $taskmond
  echo "@@note taskmond ended with $?"
}

section kernel 10 uname -r
began=$(uptime_s)
if start_taskmond; then
  echo "@@ready $(($(uptime_s) - began))"
  ask_taskmond
else
  echo "@@note taskmond did not become ready"
  kill -KILL $taskmond 2>/dev/null
fi
section log 10 cat /tmp/taskmond.log

# Each must end with one clear line.
section refuse_caps 60 /usr/bin/setpriv --bounding-set=-perfmon,-sys_admin taskmond --config /tmp/taskmond.toml
section refuse_user 60 /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups \
  taskmond --config /dev/null --socket /tmp/s --state-dir /tmp/nobody
mkdir -p /tmp/empty
mount --bind /tmp/empty /sys/kernel/btf && section refuse_btf 60 taskmond --config /tmp/taskmond.toml
umount /sys/kernel/btf

for test in lifecycle kernel_made ring iterate sched hooks rules rules_verdict rules_filter; do section "test_$test" 600 bpf_$test --gtest_brief=0; done
echo "@@done"
poweroff -f

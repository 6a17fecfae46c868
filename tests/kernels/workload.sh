#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside the virtual machine: does a little of everything in its own process, then stays until it is told to end.
trap : USR1
trap 'exit 7' TERM
file=/var/tmp/workload
i=0
while [ $i -lt 20 ]; do
  echo "line $i of a file that is written, synced, dropped from the cache and read again" >>$file
  kill -USR1 $$
  (:)
  i=$((i + 1))
done
sync
echo 3 >/proc/sys/vm/drop_caches
while read -r line; do :; done <$file
i=0
while [ $i -lt 20000 ]; do i=$((i + 1)); done
true </nonexistent
timeout 30 nc -l -p 4711 </dev/null >/dev/null &
sleep 2
echo "through the loopback" | timeout 10 nc 127.0.0.1 4711
dd if=/dev/zero of=/var/tmp/workload.dd bs=64k count=32 conv=fsync 2>/dev/null
touch /tmp/workload.ready
while :; do sleep 0.2; done

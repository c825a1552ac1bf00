#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The guest's first process: mounts what a host has, loads the modules that the tests take, and runs guest.py.
export PATH=/bin:/usr/bin:/usr/sbin:/sbin HOME=/root
mkdir -p /proc /sys /dev /tmp /run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/netns
chmod 1777 /tmp
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
while read -r module; do
	insmod "/lib/modules/$module.ko" 2>/dev/null
done </lib/modules/order
ip link set lo up
ulimit -n 1048576
cd /tapline || exit 1
# shellcheck disable=SC2046 # one word a test
python3 tests/matrix/guest.py $(cat /words)
echo "RESULT $?"
echo o >/proc/sysrq-trigger
sleep 60

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [KERNEL…]: boots the programs of BUILD_DIR inside QEMU on Debian's kernels and prints what works.
# KERNEL is a name from KERNELS below; all of them by default. See README.md.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

# name: suites to look in, in order; the newest cloud image of the first one that has it
declare -A SUITES=([5.10]=bullseye [6.1]=bookworm [6.12]="trixie bookworm-backports" [newest]=sid)
KERNELS=(5.10 6.1 6.12 newest)
PROGRAMS=(bin/taskmond bin/taskmonctl tests/bpf_lifecycle tests/bpf_kernel_made tests/bpf_ring tests/bpf_iterate
  tests/bpf_sched tests/bpf_hooks
  tests/bpf_rules tests/bpf_rules_verdict tests/bpf_rules_filter)
PACKAGES=(qemu-system-x86 busybox-static cpio xz-utils e2fsprogs debian-archive-keyring python3 util-linux)
INDEX_MAX_AGE_MIN=1440
DOWNLOAD_TIMEOUT_S=300
DISK_IOPS=50 # slow enough that who reads from it sleeps, for longer than a millisecond
BOOT_TIMEOUT_S=${TASKMON_KERNEL_TIMEOUT_S:-1500}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
say() { printf '%s\n' "$*" >&2; }
die() { say "kernels: $*"; exit 2; }

[ $# -ge 1 ] || die "usage: run.sh BUILD_DIR [KERNEL…]; kernels: ${KERNELS[*]}"
build=$(readlink -f "$1")
shift
[ $# = 0 ] || KERNELS=("$@")
for name in "${KERNELS[@]}"; do [ -n "${SUITES[$name]:-}" ] || die "no kernel '$name'; there are: ${!SUITES[*]}"; done
for program in "${PROGRAMS[@]}"; do [ -x "$build/$program" ] || die "$build/$program is not built"; done
[ "$(uname -m)" = x86_64 ] || die "only for x86-64"
work=$build/kernels
mkdir -p "$work"

install_packages() {
  local missing=() name
  for name in "${PACKAGES[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The archive that this machine itself installs from; security and other archives beside it are left out.
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
    awk '$2 == "main" && $1 !~ /security/ { print $1; exit }'
}

# apt for one suite: APT-COMMAND SUITE arguments…; nothing of the machine's own apt state is read or written.
private_apt() {
  local command=$1 dir=$work/apt/$2
  shift 2
  timeout "$DOWNLOAD_TIMEOUT_S" "$command" -q=2 \
    -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$dir/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
    -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

refresh_index() {
  local suite=$1 dir=$work/apt/$1
  [ -n "$(find "$dir/fresh" -mmin -$INDEX_MAX_AGE_MIN 2>/dev/null)" ] && return
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$(mirror)" "$suite" \
    >"$dir/sources.list"
  private_apt apt-get "$suite" update --error-on=any >"$dir/log" 2>&1 || return 1
  touch "$dir/fresh"
}

# The newest image package of a suite whose version begins with PREFIX ("newest": any).
newest_image() {
  local suite=$1 prefix=$2 names
  [ "$prefix" = newest ] && prefix=
  names=$(private_apt apt-cache "$suite" search --names-only '^linux-image-[0-9].*-cloud-amd64$' | cut -d' ' -f1)
  grep -F "linux-image-$prefix" <<<"$names" | sort -V | tail -n 1
}

# An image package with those beside it that hold the kernel proper (Debian 14 on: linux-binary-, linux-modules-).
with_parts() {
  private_apt apt-cache "$1" show "$2" | sed -n 's/^Depends: //p' | tr ',' '\n' |
    sed -nE 's/^ *(linux-(binary|modules)-[^ ]+).*/\1/p'
  echo "$2"
}

# Fetches and unpacks one kernel; leaves vmlinuz and modules in $work/NAME/tree. False: no suite has it.
fetch_kernel() {
  local name=$1 suite image parts dir=$work/$1
  mkdir -p "$dir"
  for suite in ${SUITES[$name]}; do
    refresh_index "$suite" || continue
    image=$(newest_image "$suite" "$name") || continue
    [ -n "$image" ] || continue
    [ "$(cat "$dir/package" 2>/dev/null)" = "$image" ] && return
    say "fetching $image ($suite)"
    rm -rf "$dir/tree" "$dir/deb" "$dir/package"
    mkdir -p "$dir/tree" "$dir/deb"
    mapfile -t parts < <(with_parts "$suite" "$image")
    (cd "$dir/deb" && private_apt apt-get "$suite" download "${parts[@]}") >"$dir/download.log" 2>&1 || continue
    for part in "$dir"/deb/*.deb; do dpkg-deb -x "$part" "$dir/tree"; done
    echo "$image" >"$dir/package"
    return
  done
  [ -s "$dir/package" ] || return 1
  say "$name: the archive is not reachable; taking what was fetched before"
}

# One directory with busybox, the programs and their libraries; the kernels share it.
build_root() {
  local root=$work/root program library
  rm -rf "$root"
  mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,run,var/lib,var/tmp,modules,lib64,usr/bin}
  cp /bin/busybox "$root/bin/"
  cp "$here/init.sh" "$root/init"
  cp "$here/workload.sh" "$root/bin/workload"
  chmod +x "$root/init" "$root/bin/workload"
  cp /usr/bin/setpriv "$root/usr/bin/"
  printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  for program in "${PROGRAMS[@]}"; do
    strip --strip-debug -o "$root/usr/bin/$(basename "$program")" "$build/$program"
  done
  ldd "$root"/usr/bin/* | grep -oE '/[^ ]+' | grep -v ':$' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
}

# kernel_disk FILE: an empty ext4, so that page cache and block requests are real.
kernel_disk() {
  rm -f "$1"
  truncate -s 256M "$1"
  mkfs.ext4 -q -F -O ^orphan_file "$1" 2>/dev/null || mkfs.ext4 -q -F "$1"
}

boot() {
  local name=$1 dir=$work/$1 vmlinuz cpu=Nehalem code=0 try
  rm -rf "$dir/root"
  cp -al "$work/root" "$dir/root"
  python3 "$here/modules.py" "$dir/tree" "$dir/root/modules" virtio_pci virtio_blk ext4
  (cd "$dir/root" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/initramfs"
  vmlinuz=$(find "$dir/tree" -name 'vmlinuz*' -type f | head -n 1)
  [ "$name" = newest ] || cpu+=,-cx16
  # The emulation sometimes fails a kernel before it gets to us; what happens after init began is never repeated.
  for try in 1 2 3 4 5; do
    kernel_disk "$dir/disk"
    code=0
    timeout -k 10 "$BOOT_TIMEOUT_S" qemu-system-x86_64 -accel tcg,thread=single -cpu "$cpu" -smp 2 -m 3072 \
      -nodefaults -display none -no-reboot -serial "file:$dir/console" -kernel "$vmlinuz" -initrd "$dir/initramfs" \
      -drive "file=$dir/disk,if=virtio,format=raw,cache=unsafe,throttling.iops-total=$DISK_IOPS" \
      -append "console=ttyS0 loglevel=3 initramfs_async=0 oops=panic panic=-1 rdinit=/init" \
      </dev/null >"$dir/qemu.log" 2>&1 || code=$?
    if [ $code = 124 ] || grep -q '^@@begin' "$dir/console"; then break; fi
    say "$name: died before init, attempt $try"
    cp "$dir/console" "$dir/console.died-$try"
  done
  rm -f "$dir/disk" "$dir/initramfs"
  case $code in
    0) ;;
    124 | 137) say "$name: stopped after $BOOT_TIMEOUT_S s" ;;
    *) say "$name: QEMU ended with $code: $(tail -n 1 "$dir/qemu.log")" ;;
  esac
}

install_packages
build_root
for name in "${KERNELS[@]}"; do
  rm -f "$work/$name/console"
  if fetch_kernel "$name"; then
    say "booting $(cat "$work/$name/package")"
    boot "$name"
  else
    say "$name: not reachable here"
  fi
done
exec python3 "$here/report.py" "$here/expected.txt" "$work" "${KERNELS[@]}"

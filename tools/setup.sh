#!/bin/sh
# SPDX-License-Identifier: MIT
# Gets everything that building and testing need: packages by apt (only what is missing), and a virtual environment in
# .venv. Quick when there is nothing to do. Arguments add packages: `debug-kernel` what building the debug kernel needs, `fuzz`
# libFuzzer, `bench` SystemTap, which events are held against, `clients` bpftrace, whose scripts are run.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-/usr/bin/python3}
packages="qemu-system-x86 linux-image-amd64 linux-headers-amd64 gcc libc6-dev make binutils kmod clang llvm
	bpftool libbpf-dev libbpf-tools libelf-dev zlib1g-dev dwarves python3 python3-dev python3-venv procps iproute2
	util-linux zstd git"
for stage; do
	case $stage in
	debug-kernel)
		packages="$packages linux-source-6.1 flex bison bc libssl-dev xz-utils rsync cpio libclang-rt-14-dev" ;;
	fuzz) packages="$packages libclang-rt-14-dev" ;;
	bench) packages="$packages systemtap" ;;
	clients) packages="$packages bpftrace" ;;
	*) echo "setup: no such stage: $stage" >&2; exit 2 ;;
	esac
done

say() { printf 'setup: %s\n' "$*"; }

install_packages() {
	missing=
	for package in $packages; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		*' installed') ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -z "$missing" ] && return
	say "installing by apt:$missing"
	as_root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { say "these packages need root, and there is no sudo"; exit 1; }
		as_root=sudo
	fi
	$as_root apt-get update
	# shellcheck disable=SC2086 # a list
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

wanted=$(cat tools/setup.sh pyproject.toml verifier/user/pyproject.toml 2>/dev/null | sha256sum | cut -d' ' -f1)
stamp=build/setup.stamp
packages_ok=$( { dpkg-query -W -f '${Status}\n' $packages 2>/dev/null || true; } | grep -c ' installed$' || true)
if [ "$packages_ok" -ne "$(echo $packages | wc -w)" ]; then
	install_packages
fi
if [ -x .venv/bin/pytest ] && [ "$(cat $stamp 2>/dev/null)" = "$wanted" ]; then
	exit 0
fi

mkdir -p build
say "making the virtual environment .venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	say "$python is older than 3.11; name a newer one: make setup PYTHON=…"
	exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
export PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/python - <<'PY' >build/requirements.txt
import tomllib
print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["test"]))
PY
.venv/bin/pip install --progress-bar on -r build/requirements.txt
[ -f shim/bpfcompat/__main__.py ] && .venv/bin/pip install --quiet --no-build-isolation --no-deps -e .
[ -f verifier/user/pyproject.toml ] && .venv/bin/pip install --quiet --no-build-isolation --no-deps -e verifier/user
echo "$wanted" >$stamp
say "ready"

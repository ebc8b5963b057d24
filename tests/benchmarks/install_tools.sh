#!/bin/sh
# Installs what the benchmarks take from Debian: wrk, the load generator, and nginx, the fastest possible answer.
set -eu
missing=""
for tool in wrk nginx; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || missing="$missing $tool"
done
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing:$missing; to install it needs root and apt-get: sudo apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A package's own nginx service must not start: the benchmarks start theirs, on loopback.
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
[ -e /usr/sbin/policy-rc.d ] && trap - EXIT || printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
# shellcheck disable=SC2086
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >/dev/null; then
    echo "missing:$missing, and apt-get can't install it" >&2
    exit 1
fi

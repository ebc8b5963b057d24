#!/bin/sh
# Installs the browser that tests/end_to_end/test_docs_page.py drives: Debian's chromium, if there is none yet.
set -eu
if command -v chromium >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "no chromium on PATH; to install it needs root and apt-get: sudo apt-get install chromium" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null; then
    echo "no chromium on PATH, and apt-get can't install it" >&2
    exit 1
fi

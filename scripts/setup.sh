#!/bin/sh
# Makes .venv ready for one level of use, says first what that takes, and does nothing when it is ready already.
#
#   scripts/setup.sh runtime    what `make demo` needs
#   scripts/setup.sh stream     runtime, then what running on Kafka needs
#   scripts/setup.sh report     runtime, then what draws the report of a re-scoring
#   scripts/setup.sh dev        stream and report, then the tests' and linters' tools
#   scripts/setup.sh real       runtime, then the real grocer's data for the benchmark
#
# Each level has a stamp in .venv that holds a copy of everything the installation came from. Equal: ready.
# An installation that was cut off leaves .venv/.installing behind; the next run then starts with an empty .venv,
# because a package that pip was writing at that moment may look complete to pip.
set -eu

ATTEMPTS=3        # downloads that time out are tried again; pip retries each connection by itself on top
PAUSE_SECONDS=5

# Measured on two cores and a fast line; see "Requirements" in CONTRIBUTING.md for how to measure again.
RUNTIME_SIZE="34 packages, 270 MB to download, 950 MB on disk"
RUNTIME_TIME="about 30 seconds on a fast line, a minute and a half with 50 Mbit/s"
STREAM_SIZE="22 more packages, 10 MB to download, 40 MB on disk"
STREAM_TIME="about 5 seconds"
DEV_SIZE="21 more packages, 30 MB to download, 110 MB on disk"
DEV_TIME="about 8 seconds"
REPORT_SIZE="5 more packages, 1 MB to download, 6 MB on disk"
REPORT_TIME="about 2 seconds"
REAL_SIZE="1 more package, 32 MB to download"
REAL_TIME="about 5 seconds"

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

level=${1:-}
case $level in
    runtime | stream | report | dev | real) ;;
    *) die "usage: scripts/setup.sh runtime|stream|report|dev|real" ;;
esac
cd "$(dirname "$0")/.."
here=$(pwd -P)
venv=.venv

stamp_text() { # everything this level was installed from, and where: a moved .venv does not work
    case $1 in
        runtime) say "$here" && cat requirements/runtime.txt ;;
        project) say "$here" && cat pyproject.toml ;;
        stream | report | real) cat requirements/runtime.txt "requirements/$1.txt" ;;
        dev) cat requirements/runtime.txt requirements/stream.txt requirements/report.txt requirements/dev.txt ;;
    esac
}
ready() { [ -f "$venv/.stamp-$1" ] && stamp_text "$1" | cmp -s - "$venv/.stamp-$1"; }
stamp() { stamp_text "$1" > "$venv/.stamp-new" && mv "$venv/.stamp-new" "$venv/.stamp-$1"; }

usable() { # Python 3.11 to 3.14; for later ones the pinned libraries have no ready-made wheels yet
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' > /dev/null 2>&1
}
has_venv() { "$1" -c 'import venv, ensurepip' > /dev/null 2>&1; }

advise() { # message, Debian's package, Fedora's package
    exec >&2
    say "$1"
    say ""
    say "  Debian 12, Ubuntu 24.04 or later:  sudo apt-get install $2 $2-venv"
    say "  Ubuntu 22.04:                      sudo apt-get install python3.11 python3.11-venv"
    say "  Fedora:                            sudo dnf install $3"
    say "  macOS:                             brew install python@3.13"
    say ""
    say "If you have one in an unusual place, name it:  PYTHON=/path/to/python3 make demo"
    exit 1
}

find_python() {
    python=
    without_venv=
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3}; do
        usable "$candidate" || continue
        if has_venv "$candidate"; then python=$candidate; return; fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -n "${PYTHON:-}" ] && [ -z "$without_venv" ]; then
        advise "PYTHON=$PYTHON is not a Python from 3.11 to 3.14. Set another one, or install one:" python3 python3.13
    elif [ -n "$without_venv" ]; then
        version=$("$without_venv" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        advise "$without_venv is recent enough, but its venv module is missing. Install it:" "$version" "$version"
    else
        found=$(python3 -V 2>/dev/null || say "no python3 at all")
        advise "Tallybook needs Python 3.11, 3.12, 3.13 or 3.14, and here is $found. Install one:" python3 python3.13
    fi
}

pip_install() { # pip install ARGS, with progress bars only where somebody is looking
    quiet=--quiet
    [ -t 1 ] && quiet=
    attempt=1
    while :; do
        # shellcheck disable=SC2086 # an empty $quiet must vanish
        PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-60} "$venv/bin/python" -m pip install $quiet --no-input \
            --disable-pip-version-check "$@" < /dev/null && return 0
        [ "$attempt" -ge "$ATTEMPTS" ] && break
        say "The installation did not finish; attempt $((attempt + 1)) of $ATTEMPTS follows in $PAUSE_SECONDS seconds."
        sleep "$PAUSE_SECONDS"
        attempt=$((attempt + 1))
    done
    say ""
    say "The packages could not be installed; pip's message is above. What helps most often:"
    say "  no connection, or a proxy:   check the network, set HTTPS_PROXY"
    say "  a package mirror:            set PIP_INDEX_URL to its address"
    say "  'No matching distribution':  needs 64-bit Linux with glibc 2.28 or later (Alpine's musl is not enough)"
    say "                               or macOS, on x86-64 or ARM"
    say "Nothing is broken: run the same command again."
    exit 1
}

install_level() { # its requirements file, then its stamp
    ready "$1" && return 0
    pip_install --require-hashes --only-binary :all: -r "requirements/$1.txt"
    stamp "$1"
}

announce() {
    say "Setting up .venv (nothing outside this folder changes, except pip's download cache):"
    ready runtime || say "  to run:  $RUNTIME_SIZE; $RUNTIME_TIME"
    case $level in
        stream | dev) ready stream || say "  on Kafka: $STREAM_SIZE; $STREAM_TIME" ;;
    esac
    case $level in
        report | dev) ready report || say "  reports: $REPORT_SIZE; $REPORT_TIME" ;;
    esac
    case $level in
        dev) ready dev || say "  to test: $DEV_SIZE; $DEV_TIME" ;;
        real) ready real || say "  data:    $REAL_SIZE; $REAL_TIME" ;;
    esac
}

begin() { # mark .venv as unfinished: with our process number while we are at it, empty if we give up
    say $$ > "$venv/.installing"
    trap ': > "$venv/.installing"' EXIT
}
works() { "$venv/bin/python" -c 'import hatchling, tallybook' > /dev/null 2>&1; } # its Python may have been upgraded away
all_ready() {
    [ ! -f "$venv/.installing" ] && ready runtime && ready project && { [ "$level" = runtime ] || ready "$level"; } &&
        { [ "$level" != dev ] || { ready stream && ready report; }; }
}

if all_ready; then
    works && exit 0
    say "The Python that .venv was made with has changed or gone; starting again with an empty .venv."
    rm -rf "$venv"
fi

if [ -f "$venv/.installing" ]; then
    other=$(cat "$venv/.installing")
    if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then
        die "Another set-up (process $other) is at work in .venv. Wait for it to end, then run this again." \
            "If that process is something else, remove the folder .venv first."
    fi
    say "The last set-up did not finish; starting again with an empty .venv (pip keeps its downloads)."
    rm -rf "$venv"
fi

started=$(date +%s)
if ! ready runtime; then
    find_python
    rm -rf "$venv"
    announce
    mkdir "$venv"
    begin
    "$python" -m venv "$venv" < /dev/null || die "$python -m venv .venv failed; its message is above."
else
    announce
    begin
fi
install_level runtime
if ! ready project; then
    pip_install --no-index --no-deps --no-build-isolation --editable .
    stamp project
fi
[ "$level" != dev ] || install_level stream
[ "$level" != dev ] || install_level report
[ "$level" = runtime ] || install_level "$level"
trap - EXIT
rm -f "$venv/.installing"
say "Ready after $(($(date +%s) - started)) seconds."

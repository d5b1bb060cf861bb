#!/bin/sh
# Print the first Python that is new enough to run keyturn, or say in one sentence what to install.
# With the word `all`: print one line for each minor version on this machine, "3.12 /path/to/python", oldest first.
# PYTHON, where set, is the only candidate, but for `all`. Each is run, since a name on the PATH may be a launcher of
# another version, or of one that is not installed (the shims of pyenv).
OLDEST=11

is_new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, $OLDEST))" >/dev/null 2>&1
}

# Every file that may be one: in the folders of the PATH and of the system, then where pyenv and uv keep theirs.
places() {
    old_ifs=$IFS
    IFS=:
    for folder in $PATH /usr/local/bin /usr/bin; do
        IFS=$old_ifs
        for minor in "" .11 .12 .13 .14 .15 .16; do
            candidate="${folder:-.}/python3$minor"
            [ -x "$candidate" ] && printf '%s\n' "$candidate"
        done
    done
    for candidate in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python3 \
        "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/uv/python}"/cpython-3.*/bin/python3; do
        [ -x "$candidate" ] && printf '%s\n' "$candidate"
    done
}

# A virtual environment is named by the Python that it was made of; other implementations than CPython are left out.
all() {
    places | while IFS= read -r candidate; do
        "$candidate" -c "
import sys
if sys.version_info >= (3, $OLDEST) and sys.implementation.name == 'cpython':
    base = getattr(sys, '_base_executable', None) or sys.executable
    print(f'{sys.version_info[0]}.{sys.version_info[1]} {base}')
" 2>/dev/null </dev/null
    done | awk '!seen[$1]++' | sort -t . -k 2 -n
}

if [ "${1:-}" = all ]; then
    all
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    if is_new_enough "$PYTHON"; then
        printf '%s\n' "$PYTHON"
        exit 0
    fi
    echo "keyturn needs Python 3.11 or newer, and PYTHON=$PYTHON is not one that runs." >&2
    exit 1
fi

for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
    if is_new_enough "$candidate"; then
        printf '%s\n' "$candidate"
        exit 0
    fi
done
elsewhere=$(all | tail -n 1)
if [ -n "$elsewhere" ]; then
    printf '%s\n' "${elsewhere#* }"
    exit 0
fi
echo "keyturn needs Python 3.11 or newer and found none: install it (Debian, Ubuntu: apt-get install python3) or name it: make setup PYTHON=/path/to/python3" >&2
exit 1

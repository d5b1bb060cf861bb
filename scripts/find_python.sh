#!/bin/sh
# Print the first Python that is new enough to run keyturn, or say in one sentence what to install.
# PYTHON, where set, is the only candidate. Each is run, since a name on the PATH may be a launcher of another version.
is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

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
echo "keyturn needs Python 3.11 or newer and found none: install it (Debian, Ubuntu: apt-get install python3) or name it: make setup PYTHON=/path/to/python3" >&2
exit 1

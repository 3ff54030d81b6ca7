#!/bin/sh
# Makes a virtual environment with the package `ccf`: python-env.sh VENV 7|6
#
# Two are needed. 7.0.22 asks for Python 3.12 and runs on 3.11; 6.0.28 comes with a COSE library that fails with cbor2 6.
set -eu
venv=$1
case $2 in
7) set -- --ignore-requires-python 'ccf==7.0.22' ;;
6) set -- 'ccf==6.0.28' 'cbor2<6' ;;
*) echo "python-env.sh VENV 7|6" >&2 && exit 2 ;;
esac
stamp=$venv/installed
[ "$(cat "$stamp" 2>/dev/null)" = "$*" ] && exit 0
python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
echo "$*" >"$stamp"

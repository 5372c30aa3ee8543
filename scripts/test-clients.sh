#!/bin/bash
# Installs the real clients the tests need into .tools/venv (impala-shell; impyla and PyHive; beeline with
# Hive's JDBC driver), moto's S3 server, and the Spark Thrift Server, which speaks HiveServer2 without being
# ours. Safe to run again: it does nothing when the pinned versions are already there. Bare Debian 12, as root
# (apt is only touched when a package is missing). Takes about a minute.
set -euo pipefail

top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
venvs=$top/.tools/venv
python=${PYTHON:-/usr/bin/python3}

# impala-shell and PyHive need the C module `sasl`; without the two -dev packages its build ends with
# "sasl/sasl.h: No such file or directory" and "krb5-config: not found". libsasl2-modules holds PLAIN.
packages=(python3-venv python3-dev gcc g++ libsasl2-dev libkrb5-dev libsasl2-modules)

# Make the certificates of tests, look at what is offered to clients, issue certificates by ACME, judge
# imported configurations, statistics and the runtime socket, and set a gateway's clock forward.
tools=(openssl sslscan pebble haproxy libfaketime)

# A browser for the web page, driven through WebDriver.
browser=(chromium chromium-driver)
# promtool judges metrics and alert rules; the others read HAProxy's statistics and socket, here ours.
monitoring=(prometheus prometheus-haproxy-exporter hatop)

# A realm of the tests' own, logins of real clients to it (libsasl2-modules-gssapi-mit), and a server for them
# (python3-gssapi).
kerberos=(krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit python3-gssapi)

# `sasl` is named with its version because the newest final release (0.3.1) does not build on Python 3.11.
# impyla logs in by pure-sasl, which takes `kerberos` for tickets.
# thrift, thrift_sasl and pure-sasl are pinned to what was tested, so that a new release cannot change the tests.
shell_pins=(impala-shell==4.6.0 sasl==0.4a1 thrift==0.23.0 thrift_sasl==0.4.3)
cli_pins=(sasl==0.4a1 kerberos==1.3.1 impyla==0.24.0 PyHive==0.7.0 thrift==0.23.0 thrift_sasl==0.4.3 pure-sasl==0.6.2)

# An S3 server that checks signatures. Its extra `server` would bring 180 MB for services other than S3.
s3_pins=('moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5 werkzeug==3.1.9 boto3==1.44.5 botocore==1.44.5)

# Hive's driver, beeline and the Spark Thrift Server come with PySpark: 318 MB, loaded once for both.
# beeline starts faster with its own few jars (80 MB).
jdbc_pin=pyspark==3.5.9
jdbc_jars=(commons-cli-1 commons-codec-1 commons-lang-2 commons-logging-1 guava-14 hadoop-client-api-3 hadoop-client-runtime-3
    hive-beeline-2 hive-common-2 hive-exec-2 hive-jdbc-2 hive-serde-2 hive-service-rpc-3 httpclient-4 httpcore-4
    jcl-over-slf4j-2 jline-2 libthrift-0 log4j-1.2-api-2 log4j-api-2 log4j-core-2 log4j-slf4j2-impl-2 slf4j-api-2
    spark-hive-thriftserver_2 super-csv-2)

# ensure_packages PACKAGE...
ensure_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "apt: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # Exit code 101 tells invoke-rc.d not to start what a package brings along.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# ensure_venv NAME PIN...: the stamp is written last, so an interrupted run is started over.
ensure_venv() {
    local venv=$venvs/$1 stamp wanted
    shift
    stamp=$venv/.installed wanted="$*"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        echo "$venv: already there"
        return
    fi
    ensure_packages "${packages[@]}"
    echo "$venv: installing $wanted"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" -q --disable-pip-version-check install "$@"
    echo "$wanted" >"$stamp"
}

# Machine learning, other cluster managers, and a state store for streams: not for SQL on one machine.
# Without them 214 MB remain of 339.
spark_leaves_out=(JTransforms algebra_2 arpack breeze cats- kubernetes- mesos- rocksdbjni spark-graphx spark-mllib spire)

# ensure_jars NAME WANTED TAR-OPTION...: jars of PySpark, loaded when the first needs them.
ensure_jars() {
    local to=$venvs/$1 wanted=$2
    shift 2
    if [ -f "$to/.installed" ] && [ "$(cat "$to/.installed")" = "$wanted" ]; then
        echo "$to: already there"
        return
    fi
    echo "$to: installing $jdbc_pin"
    rm -rf "$to"
    mkdir -p "$to" "$loaded"
    [ -f "$loaded/complete" ] || "$venvs/cli/bin/pip" -q --disable-pip-version-check download --no-deps \
        --dest "$loaded" "$jdbc_pin"
    touch "$loaded/complete"
    tar -xzf "$loaded"/pyspark-*.tar.gz -C "$to" --strip-components=3 --no-same-owner --wildcards "$@"
    echo "$wanted" >"$to/.installed"
}

ensure_java() {
    loaded=$venvs/pyspark.loaded
    command -v java >/dev/null || ensure_packages openjdk-17-jre-headless
    rm -rf "$loaded"
    local kept=("${jdbc_jars[@]/#/*/deps/jars/}") left=("${spark_leaves_out[@]/#/--exclude=*/}")
    ensure_jars jdbc "$jdbc_pin ${jdbc_jars[*]}" "${kept[@]/%/*.jar}"
    ensure_jars spark "$jdbc_pin without ${spark_leaves_out[*]}" "${left[@]/%/*}" '*/deps/jars/*.jar'
    rm -rf "$loaded"
}

mkdir -p "$venvs"
# Two callers at once (test runs in two worktrees share nothing, but two terminals may) wait for each other.
exec 9>"$venvs/.lock"
flock 9
ensure_packages "${tools[@]}" "${browser[@]}" "${monitoring[@]}" "${kerberos[@]}"
ensure_venv shell "${shell_pins[@]}"
ensure_venv cli "${cli_pins[@]}"
ensure_venv s3 "${s3_pins[@]}"
ensure_java

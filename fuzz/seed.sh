#!/bin/sh
# Copies the importers' samples to where the fuzz targets begin.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
samples=$root/crates/oxpecker-import/tests/samples
for pair in haproxy:cfg bigip:conf elb:json; do
    mkdir -p "$root/fuzz/corpus/${pair%%:*}"
    cp "$samples"/*."${pair##*:}" "$root/fuzz/corpus/${pair%%:*}/"
done

#!/bin/sh
# Copies the importers' samples and the recordings of real clients to where the fuzz targets begin.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
samples=$root/crates/oxpecker-import/tests/samples
for pair in haproxy:cfg bigip:conf elb:json; do
    mkdir -p "$root/fuzz/corpus/${pair%%:*}"
    cp "$samples"/*."${pair##*:}" "$root/fuzz/corpus/${pair%%:*}/"
done

# A first byte says how the target reads the rest; see fuzz_targets/messages.rs.
captures=$root/crates/oxpecker-wire/tests/captures
mkdir -p "$root/fuzz/corpus/messages" "$root/fuzz/corpus/openings"
for file in "$captures"/*.bin; do
    name=$(basename "$file")
    case $name in
        *beeswax*.c2s.bin) how='\003' ;;
        *beeswax*) how='\002' ;;
        *.c2s.bin) how='\001' ;;
        *) how='\000' ;;
    esac
    { printf "$how" && cat "$file"; } >"$root/fuzz/corpus/messages/$name"
done
for how in 0 1 2 3 4 5; do
    printf "\\00$how"'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n' >"$root/fuzz/corpus/openings/text-$how"
    { printf "\\00$how" && head -c 600 "$captures/impyla-http-plain-spark35.c1.s2c.bin"; } \
        >"$root/fuzz/corpus/openings/http-$how"
done

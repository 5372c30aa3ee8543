"""impala-shell in a terminal: Ctrl-C, profile after close, and a lost session.

usage: terminal.py SHELL PROTOCOL ADDRESS WEB_ADDRESS
Prints everything the shell printed.
"""

import json
import os
import pty
import select
import sys
import time
import urllib.request

shell, protocol, address, web = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execv(shell, [shell, "--protocol=" + protocol, "-i", address])

output = b""
seen = 0


def fail(why):
    sys.exit("%s; the shell printed:\n%s" % (why, output.decode(errors="replace")))


def read(timeout):
    global output
    ready, _, _ = select.select([terminal], [], [], timeout)
    if not ready:
        return True
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux's way of saying that the other side is gone.
        return False
    output += data
    return bool(data)


def until(text):
    """Waits for the text in what was not looked at so far."""
    global seen
    deadline = time.time() + 20
    while text not in output[seen:]:
        if time.time() > deadline or not read(0.2):
            fail("waited in vain for %r" % text)
    seen = output.index(text, seen) + len(text)


def send(line):
    os.write(terminal, line)


until(b"default> ")
send(b"select sleep(60000);\n")
until(b"Query state can be monitored")
while not json.load(urllib.request.urlopen("http://%s/queries?json" % web))["num_executing_queries"]:
    time.sleep(0.05)
begun = time.time()
send(b"\x03")
until(b"default> ")
if time.time() - begun > 10:
    fail("cancelling took too long")
while json.load(urllib.request.urlopen("http://%s/queries?json" % web))["num_executing_queries"]:
    if time.time() - begun > 10:
        fail("nothing was cancelled on the server")
    time.sleep(0.05)
send(b"select 'after' || ' cancel';\n")
until(b"Fetched 1 row(s)")
until(b"default> ")
send(b"profile;\n")
until(b"Query Status: OK")
until(b"default> ")

if protocol != "beeswax":  # A Beeswax session is its connection; nobody else can close it there.
    for session in json.load(urllib.request.urlopen("http://%s/sessions?json" % web))["sessions"]:
        urllib.request.urlopen("http://%s/close_session?session_id=%s" % (web, session["session_id"]))
    send(b"select 'after' || ' reconnect';\n")
    until(b"Connection lost, reconnecting...")
    until(b"Fetched 1 row(s)")
    until(b"default> ")

send(b"quit;\n")
while read(5):
    pass
os.waitpid(pid, 0)
sys.stdout.write(output.decode(errors="replace"))

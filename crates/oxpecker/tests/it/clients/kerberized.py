"""A coordinator's HiveServer2 port with Kerberos, in front of one without: ends SASL GSSAPI (MIT's library,
keys of KRB5_KTNAME) and passes the messages on bare. Arguments: HOST:PORT to listen on, HOST:PORT to pass to."""

import socket
import struct
import sys
import threading

import gssapi

START, OK, BAD, COMPLETE = 1, 2, 3, 5


def exactly(conn, size):
    data = b""
    while len(data) < size:
        more = conn.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def hear(conn):
    status, size = struct.unpack(">BI", exactly(conn, 5))
    if status not in (START, OK, COMPLETE):
        raise EOFError
    return exactly(conn, size)


def say(conn, status, payload=b""):
    conn.sendall(struct.pack(">BI", status, len(payload)) + payload)


def log_in(conn):
    mechanism, token = hear(conn).decode(), hear(conn)
    if mechanism != "GSSAPI":
        say(conn, BAD, b"Unsupported mechanism type " + mechanism.encode())
        return False
    # Any key of the file will do, as the recipes with a merged keytab want it.
    context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")
    try:
        answer = context.step(token)
        while not context.complete:
            say(conn, OK, answer or b"")
            answer = context.step(hear(conn))
        say(conn, OK, answer or b"")
        hear(conn)
        # No protection of what follows: authentication only.
        say(conn, OK, context.wrap(struct.pack(">I", 0x01000000), False).message)
        context.unwrap(hear(conn))
    except gssapi.exceptions.GSSError as error:
        say(conn, BAD, b"GSS initiate failed")
        print("refused", error, flush=True)
        return False
    say(conn, COMPLETE)
    print("logged in", context.initiator_name, flush=True)
    return True


def answers(member, conn):
    try:
        while data := member.recv(1 << 16):
            conn.sendall(struct.pack(">I", len(data)) + data)
    except OSError:
        pass
    conn.close()


def serve(conn, to):
    try:
        if not log_in(conn):
            return
        member = socket.create_connection(to)
        threading.Thread(target=answers, args=(member, conn), daemon=True).start()
        while True:
            size, = struct.unpack(">I", exactly(conn, 4))
            member.sendall(exactly(conn, size))
    except (EOFError, OSError):
        pass
    finally:
        conn.close()


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


listener = socket.create_server(place(sys.argv[1]))
print("ready", flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted, place(sys.argv[2])), daemon=True).start()

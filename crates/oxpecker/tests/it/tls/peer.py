"""Peers that speak TLS, for the tests beside this file. OpenSSL by way of Python's ssl module.

    carry key=value...       client and member at once: bytes and ends through a gateway between them
    member key=value...      greets with its name, then echoes
    talk key=value...        a client: each line of standard input is sent, and the answer printed
    hammer key=value...      clients that come one after the other until the line "stop"
"""

import random
import select
import socket
import ssl
import sys
import threading
import traceback

DEADLINE = 40
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Plain:
    def __init__(self, sock):
        self.sock = sock

    def read(self, most=1 << 18):
        return self.sock.recv(most)

    def write(self, data):
        self.sock.sendall(data)

    def finish(self):
        self.sock.shutdown(socket.SHUT_WR)


class Tls:
    """One thread may write while another reads."""

    def __init__(self, sock, context, name=None, server=False, with_handshake=b""):
        self.sock, self.into, self.out = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.lock, self.sending = threading.Lock(), threading.Lock()
        self.ahead = b""
        self.tls = context.wrap_bio(self.into, self.out, server_side=server, server_hostname=name)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.receive()
            except ssl.SSLError:
                self.flush()
                raise
        # The last handshake message and this go out in one segment.
        if with_handshake:
            self.tls.write(with_handshake)
        self.flush()

    def flush(self):
        with self.sending:
            with self.lock:
                data = self.out.read()
            if data:
                self.sock.sendall(data)

    def receive(self):
        data = self.sock.recv(1 << 18)
        with self.lock:
            if data:
                self.into.write(data)
            else:
                self.into.write_eof()

    def read(self, most=1 << 18):
        while True:
            with self.lock:
                try:
                    if self.ahead:
                        data, self.ahead = self.ahead[:most], self.ahead[most:]
                        return data
                    return self.tls.read(most)
                except ssl.SSLZeroReturnError:
                    return b""
                except ssl.SSLWantReadError:
                    pass
            # Nothing is sent here: a reader that waits for the writer would stop both sides.
            self.receive()

    def write(self, data):
        for at in range(0, len(data), 1 << 18):
            with self.lock:
                self.tls.write(data[at : at + (1 << 18)])
            self.flush()

    def finish(self):
        with self.lock:
            try:
                # OpenSSL calls what it has not yet handed out "data after close notify".
                while data := self.tls.read(1 << 18):
                    self.ahead += data
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                pass  # close_notify is said, the peer's has not come
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)


def read_all(stream):
    parts = []
    while part := stream.read():
        parts.append(part)
    return b"".join(parts)


def read_exactly(stream, count):
    data = b""
    while len(data) < count:
        part = stream.read(count - len(data))
        assert part, f"it ended after {len(data)} of {count} bytes"
        data += part
    return data


def read_line(stream):
    line = b""
    while not line.endswith(b"\n"):
        part = stream.read(1)
        if not part:
            raise EOFError("the other side has finished")
        line += part
    return line


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def context_of(server, certificate=None, authority=None, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    if certificate:
        context.load_cert_chain(certificate + ".crt", certificate + ".key")
    if authority:
        context.load_verify_locations(authority)
    elif not server:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Bench:
    """Runs pairs of a client and a member, each on a connection of their own."""

    def __init__(
        self, front, at, client=None, member=None, name=None, authority=None, version=None, passes=None
    ):
        self.front, self.name, self.passes = address(front), name, passes
        self.listener = socket.create_server(address(at))
        self.listener.settimeout(DEADLINE)
        self.client = client == "tls" and context_of(False, authority=authority, version=version)
        self.member = member and (lambda: context_of(True, certificate=member, version=version))

    def connect(self, first=b""):
        sock = socket.create_connection(self.front, DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.client:
            return Tls(sock, self.client, self.name, with_handshake=first)
        if first:
            sock.sendall(first)
        return Plain(sock)

    def accept(self, first=b"", after=None):
        sock, _ = self.listener.accept()
        if after:
            assert after.wait(DEADLINE), "the client says nothing"
        sock.settimeout(DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.member:
            # A context of its own knows no earlier session: the last message of a full handshake in
            # TLS 1.2 is the member's, that of a resumed one is not.
            return Tls(sock, self.member(), server=True, with_handshake=first)
        if first:
            sock.sendall(first)
        return Plain(sock)

    def run(self, what, client, member, client_first=b"", member_first=b"", after=None):
        failed = []

        def serve():
            try:
                stream = self.accept(member_first, after)
                member(stream)
                stream.sock.close()
            except BaseException:
                failed.append(traceback.format_exc())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            stream = self.connect(client_first)
            client(stream)
            stream.sock.close()
        except BaseException:
            failed.append(traceback.format_exc())
        thread.join(DEADLINE)
        if thread.is_alive():
            failed.append("the member still waits")
        if failed:
            print(f"{what}:\n" + "\n".join(failed), file=sys.stderr, flush=True)
            sys.exit(1)
        print(what, flush=True)


def payload(count):
    return random.Random(count).randbytes(count)


def answer_at_the_end(stream):
    data = read_all(stream)
    stream.write(data)
    stream.finish()


def echo(stream):
    while data := stream.read():
        stream.write(data)
    stream.finish()


def carry(**options):
    bench = Bench(**options)

    def round_trip(count):
        def client(stream):
            data = payload(count)
            stream.write(data)
            stream.finish()
            assert read_all(stream) == data

        bench.run(f"{count} bytes", client, answer_at_the_end)

    for count in (0, 1, 2, 100, 16_383, 16_384, 16_385, 65_536, 262_145, 1 << 20, 50 << 20):
        round_trip(count)

    def both_ways(stream):
        data = payload(20 << 20)
        writer = threading.Thread(target=lambda: (stream.write(data), stream.finish()))
        writer.start()
        assert read_all(stream) == data
        writer.join()

    def still_sending(stream):
        # Its own bytes are on their way before and after the other side has finished.
        writer = threading.Thread(target=lambda: (stream.write(payload(20 << 20)), stream.finish()))
        writer.start()
        assert read_all(stream) == payload(20 << 20)
        writer.join()

    bench.run("both ways at once", both_ways, still_sending)

    def many_small_writes(stream):
        sizes = [random.Random(i).randint(1, 60) for i in range(3000)]
        for i, size in enumerate(sizes):
            stream.write(payload(i + 1000)[:size])
        stream.finish()
        assert read_all(stream) == b"".join(payload(i + 1000)[:n] for i, n in enumerate(sizes))

    bench.run("many small writes", many_small_writes, echo)

    def told_goodbye(stream):
        assert read_all(stream) == b"goodbye"
        stream.write(payload(5 << 20))
        stream.finish()

    def says_goodbye(stream):
        stream.write(b"goodbye")
        stream.finish()
        assert read_all(stream) == payload(5 << 20)

    bench.run("the member finishes first", told_goodbye, says_goodbye)

    def waits(stream):
        assert read_exactly(stream, 8) == b"with it!"
        stream.finish()
        assert read_all(stream) == b""

    bench.run("client data with the handshake", waits, echo, client_first=b"with it!")

    # What is said with the last message of a handshake meets bytes that wait for its end. A client
    # whose TLS passes has said nothing before it.
    said = None if bench.passes else threading.Event()

    def greeted(stream):
        stream.write(b"hello")
        if said:
            said.set()
        assert read_exactly(stream, 13) == b"with it!hello"
        stream.finish()
        assert read_all(stream) == b""

    for turn in range(10):
        if said:
            said.clear()
        what = f"member data with the handshake, {turn}"
        bench.run(what, greeted, echo, member_first=b"with it!", after=said)

    stuck = threading.Event()

    def sends_until_stuck(stream):
        assert stream.read(1) == b"?"
        stream.sock.settimeout(DEADLINE)
        watcher = threading.Thread(target=watch, args=(stream.sock,), daemon=True)
        watcher.start()
        stream.write(payload(50 << 20))
        stream.finish()

    def watch(sock):
        while select.select([], [sock], [], 0.4)[1]:
            # Still taken: wait until nothing is for a while.
            stuck.wait(0.01)
        stuck.set()

    def slow_reader(stream):
        # Or else the kernel may take all of it: net.ipv4.tcp_rmem goes up to 32 MiB here and there.
        stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        stream.write(b"?")
        assert stuck.wait(DEADLINE), "the member never got stuck"
        assert read_all(stream) == payload(50 << 20)

    bench.run("a slow reader", slow_reader, sends_until_stuck)
    print("carried", flush=True)


def member(at, certificate, greeting="", version=None, cut=None, clients=None):
    listener = socket.create_server(address(at))
    context = context_of(True, certificate=certificate, version=version)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    print("ready", flush=True)

    def serve(sock):
        try:
            stream = Tls(sock, context, server=True)
            print(f"resumed={stream.tls.session_reused}", flush=True)
            if greeting:
                stream.write(greeting.encode() + b"\n")
            if cut:
                # As when the process is killed: an end without close_notify.
                sock.shutdown(socket.SHUT_WR)
            echo(stream)
        except (OSError, ssl.SSLError) as error:
            print(f"refused: {error}", flush=True)
        sock.close()

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def open_stream(front, name=None, authority=None, version=None, certificate=None):
    sock = socket.create_connection(address(front), DEADLINE)
    return Tls(sock, context_of(False, certificate, authority, version), name)


def talk(**options):
    try:
        stream = open_stream(**options)
        print(f"connected {stream.tls.version()}", flush=True)
        for line in sys.stdin:
            if line == "#finish\n":
                stream.finish()
                print("rest", read_all(stream), flush=True)
            elif line == "#cut\n":
                stream.sock.shutdown(socket.SHUT_WR)
                print("cut", stream.sock.recv(1 << 16) is not None, flush=True)
            else:
                stream.write(line.encode())
                print(read_line(stream).decode(), end="", flush=True)
    except (OSError, EOFError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def hammer(**options):
    state = {"serial": None, "served": 0}
    stopped = threading.Event()

    def come_and_go():
        try:
            while not stopped.is_set():
                stream = open_stream(**options)
                stream.write(b"hello\n")
                assert read_line(stream) == b"hello\n"
                state["serial"] = stream.tls.getpeercert()["serialNumber"]
                state["served"] += 1
                stream.finish()
                stream.sock.close()
        except BaseException:
            traceback.print_exc()
            state["served"] = -1
            raise

    threads = [threading.Thread(target=come_and_go, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        if line == "stop\n":
            stopped.set()
            for thread in threads:
                thread.join(DEADLINE)
        print(state["serial"], state["served"], flush=True)


if __name__ == "__main__":
    settings = dict(word.split("=", 1) for word in sys.argv[2:])
    {"carry": carry, "member": member, "talk": talk, "hammer": hammer}[sys.argv[1]](**settings)

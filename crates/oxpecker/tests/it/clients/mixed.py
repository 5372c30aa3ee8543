"""Sessions of several kinds at once, steered by lines; one line of answer for each.

usage: mixed.py KIND=HOST:PORT*COUNT ...

KIND is a protocol (hs2, beeswax, http) and a log-in (nothing, -plain, or -gssapi:HOST with the host of the
service's principal). Each session has one connection of its own, which is never opened a second time.

open           opens every session: how many run on which process
start SQL      begins a statement in each, and waits for nothing
finish         reads its rows in each, and closes it
run SQL        both
reopen         a new session over the old connection for those that were told of an error, and `select 1` in it
pids           `select pid()` in each: how many run on which process
errors         the different texts of the step before, without ids
close          ends every session

start, finish, run and reopen answer: ok N told M broken K. Told is an error in the answer to a call. Broken is
anything else: an end, a reset, an answer that cannot be read.
"""

import base64
import collections
import http.client
import io
import re
import sys

import sasl
from impala_thrift_gen.TCLIService import TCLIService
from impala_thrift_gen.TCLIService.ttypes import (
    TCloseOperationReq,
    TCloseSessionReq,
    TExecuteStatementReq,
    TFetchOrientation,
    TFetchResultsReq,
    TGetOperationStatusReq,
    TOpenSessionReq,
    TOperationState,
    TStatusCode,
)
from impala_thrift_gen.beeswax import BeeswaxService
from impala_thrift_gen.beeswax.ttypes import BeeswaxException, Query, QueryNotFoundException, QueryState
from thrift.Thrift import TApplicationException
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TTransportBase, TTransportException
from thrift_sasl import TSaslClientTransport

USER, PASSWORD = "alice", "secret"
PATIENCE = 60


class Told(Exception):
    """An error in the answer to a call."""


class HttpTransport(TTransportBase):
    """Calls in POST requests over one kept-alive connection."""

    def __init__(self, address, login):
        self.connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        self.headers = {"Content-Type": "application/x-thrift"}
        if login:
            word = base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
            self.headers["Authorization"] = "Basic " + word
        self.connection.connect()
        # Otherwise it would hide that a connection was closed.
        self.connection.auto_open = 0
        self.wanted, self.answer = io.BytesIO(), io.BytesIO()

    def isOpen(self):
        return True

    def write(self, data):
        self.wanted.write(data)

    def flush(self):
        call, self.wanted = self.wanted.getvalue(), io.BytesIO()
        self.connection.request("POST", "/cliservice", call, self.headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise Told("HTTP %d" % response.status)
        self.answer = io.BytesIO(body)

    def read(self, size):
        return self.answer.read(size)

    def close(self):
        self.connection.close()


def transport(protocol, login, address):
    if protocol == "http":
        return HttpTransport(address, login)
    socket = TSocket(*address)
    socket.setTimeout(PATIENCE * 1000)
    if not login:
        made = TBufferedTransport(socket)
    else:
        mechanism, _, host = login.partition(":")

        def client():
            made = sasl.Client()
            if mechanism == "gssapi":
                made.setAttr("host", host)
                made.setAttr("service", "impala")
            else:
                made.setAttr("username", USER)
                made.setAttr("password", PASSWORD)
            made.init()
            return made

        made = TSaslClientTransport(client, mechanism.upper(), socket)
    made.open()
    return made


def good(reply):
    status = reply.status
    if status.statusCode not in (TStatusCode.SUCCESS_STATUS, TStatusCode.SUCCESS_WITH_INFO_STATUS):
        raise Told("%s %s" % (status.sqlState, status.errorMessage))
    return reply


class Hs2:
    def __init__(self, made):
        self.transport, self.client = made, TCLIService.Client(TBinaryProtocol(made))
        self.open()

    def open(self):
        self.session = good(self.client.OpenSession(TOpenSessionReq(client_protocol=5, username=USER))).sessionHandle

    def start(self, sql):
        request = TExecuteStatementReq(self.session, sql, runAsync=True)
        self.operation = good(self.client.ExecuteStatement(request)).operationHandle

    def finish(self):
        while True:
            state = good(self.client.GetOperationStatus(TGetOperationStatusReq(self.operation)))
            if state.operationState == TOperationState.FINISHED_STATE:
                break
            if state.operationState not in (0, 1, 7):
                raise Told("%s" % state.errorMessage)
        fetch = TFetchResultsReq(self.operation, TFetchOrientation.FETCH_NEXT, 10)
        column = good(self.client.FetchResults(fetch)).results.columns[0]
        good(self.client.CloseOperation(TCloseOperationReq(self.operation)))
        values = next(value for value in vars(column).values() if value is not None).values
        return str(values[0])

    def close(self):
        good(self.client.CloseSession(TCloseSessionReq(self.session)))
        self.transport.close()


class Beeswax:
    def __init__(self, made):
        self.transport, self.client = made, BeeswaxService.Client(TBinaryProtocol(made))

    def open(self):
        """The connection is the session."""

    def start(self, sql):
        self.handle = self.client.query(Query(query=sql, configuration=[], hadoop_user=USER))

    def finish(self):
        while True:
            state = self.client.get_state(self.handle)
            if state == QueryState.FINISHED:
                break
            if state == QueryState.EXCEPTION:
                raise Told("EXCEPTION")
        row = self.client.fetch(self.handle, False, 10).data[0]
        self.client.close(self.handle)
        return row

    def close(self):
        self.transport.close()


class Step:
    """What a step did in each session."""

    def __init__(self, entries, act):
        self.ok, self.told, self.broken, self.texts = [], [], [], collections.Counter()
        for entry in entries:
            try:
                self.ok.append(act(entry))
                continue
            except (Told, BeeswaxException, QueryNotFoundException) as error:
                self.told.append(entry)
                text = getattr(error, "message", None) or str(error)
            except TApplicationException as error:
                # Beeswax methods that declare no exception.
                self.told.append(entry)
                text = str(error.message)
            except (OSError, TTransportException, http.client.HTTPException) as error:
                self.broken.append(entry)
                text = "%s %s" % (type(error).__name__, error)
            kind = type(entry).__name__
            self.texts[kind + ": " + re.sub("[0-9a-f]{16}:[0-9a-f]{16}", "ID", text).strip().replace("\n", " ")] += 1

    def __str__(self):
        return "ok %d told %d broken %d" % (len(self.ok), len(self.told), len(self.broken))


def opened(word):
    kind, place = word.split("=")
    protocol, _, login = kind.partition("-")
    place, _, count = place.partition("*")
    host, port = place.rsplit(":", 1)
    make = Beeswax if protocol == "beeswax" else Hs2
    return [make(transport(protocol, login, (host, int(port)))) for _ in range(int(count or 1))]


def started(sql):
    return lambda entry: entry.start(sql)


def ran(sql):
    return lambda entry: (entry.start(sql), entry.finish())[1]


def again(entry):
    entry.open()
    return ran("select 1")(entry)


def pids(entries):
    step = Step(entries, ran("select pid()"))
    if step.told or step.broken:
        return "%s %s" % (step, dict(step.texts))
    return " ".join("%s:%d" % seen for seen in sorted(collections.Counter(step.ok).items()))


pool, last = [], None
for line in sys.stdin:
    verb, sql = (line.strip().split(None, 1) + [""])[:2]
    if verb == "errors":
        print(" | ".join("%s (%d)" % entry for entry in sorted(last.texts.items())))
        continue
    if verb in ("open", "pids"):
        for word in sys.argv[1:] if verb == "open" else []:
            pool += opened(word)
        print(pids(pool))
        continue
    act = {
        "start": started(sql),
        "finish": lambda entry: entry.finish(),
        "run": ran(sql),
        "reopen": again,
        "close": lambda entry: entry.close(),
    }[verb]
    last = Step(last.told if verb == "reopen" else pool, act)
    print(last)

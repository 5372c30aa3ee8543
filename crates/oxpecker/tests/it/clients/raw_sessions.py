"""HiveServer2 by its calls, without a driver's help: one Thrift client for each connection.

usage: raw_sessions.py HOST PORT sessions N    N sessions in turn; process ids and how often
       raw_sessions.py HOST PORT hue N         N statements in one session over 12 connections
       raw_sessions.py HOST PORT crowd N       N statements in 30 sessions in turn, every call over any of
                                               1,000 connections; process ids and how often
       raw_sessions.py HOST PORT storm N       N sessions steered by lines: open (how many on which
                                               process), run (a statement in each), reopen (those
                                               that were told of an error)
       raw_sessions.py HOST PORT forged 1      what is said of handles whose tags were changed, cut, grown
                                               or taken from another: a text and how often
       raw_sessions.py HOST PORT lost 1        a session steered by lines: pid, run, reopen, anew (the
                                               same session over another connection)
       raw_sessions.py HOST PORT known N [HOST2]
                                               who of N connections, to HOST2 if it is given but
                                               for the first, knows the session of the first
       raw_sessions.py HOST PORT quiet N HOST2 a statement of N milliseconds in a session of HOST that
                                               nobody asks for meanwhile, over a connection to HOST2:
                                               its state
"""

import collections
import random
import sys
import time

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
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

host, port, what, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])


class Connection(TCLIService.Client):
    def __init__(self, to=host):
        self.socket = TSocket(to, port)
        self.socket.setTimeout(20000)
        transport = TBufferedTransport(self.socket)
        transport.open()
        super().__init__(TBinaryProtocol(transport))

    def close(self):
        self.socket.close()


def good(reply):
    if reply.status.statusCode not in (TStatusCode.SUCCESS_STATUS, TStatusCode.SUCCESS_WITH_INFO_STATUS):
        sys.exit("%s %s" % (reply.status.sqlState, reply.status.errorMessage))
    return reply


def open_session(client):
    return good(client.OpenSession(TOpenSessionReq(client_protocol=5, username="hue"))).sessionHandle


def pid(session, client):
    """One statement; every call may go over another connection."""
    request = TExecuteStatementReq(session, "select pid()", runAsync=True)
    operation = good(client().ExecuteStatement(request)).operationHandle
    while True:
        status = good(client().GetOperationStatus(TGetOperationStatusReq(operation)))
        if status.operationState == TOperationState.FINISHED_STATE:
            break
        if status.operationState not in (0, 1, 7):
            sys.exit("state %s" % status.operationState)
    fetch = TFetchResultsReq(operation, TFetchOrientation.FETCH_NEXT, 10)
    values = good(client().FetchResults(fetch)).results.columns[0].i32Val.values
    good(client().CloseOperation(TCloseOperationReq(operation)))
    return values[0]


if what == "sessions":
    seen = collections.Counter()
    for _ in range(count):
        connection = Connection()
        session = open_session(connection)
        seen[pid(session, lambda: connection)] += 1
        good(connection.CloseSession(TCloseSessionReq(session)))
        connection.close()
    for entry in seen.items():
        print("%d %d" % entry)
elif what == "crowd":
    pool = [Connection() for _ in range(1000)]
    choice = random.Random(1)
    sessions = [open_session(choice.choice(pool)) for _ in range(30)]
    owners = [pid(session, lambda: choice.choice(pool)) for session in sessions]
    seen = collections.Counter()
    for number in range(count):
        owner = pid(sessions[number % 30], lambda: choice.choice(pool))
        if owner != owners[number % 30]:
            sys.exit("a session moved")
        seen[owner] += 1
    for session in sessions:
        good(choice.choice(pool).CloseSession(TCloseSessionReq(session)))
    for connection in pool:
        connection.close()
    for entry in seen.items():
        print("%d %d" % entry)
elif what == "storm":
    pool = [[Connection(), None] for _ in range(count)]
    told = pool

    def run(entries):
        """In each session a statement; the entries whose session is no more."""
        ok, gone, broken = 0, [], 0
        for entry in entries:
            try:
                status = entry[0].ExecuteStatement(TExecuteStatementReq(entry[1], "select 1")).status
            except Exception:
                broken += 1
                continue
            if status.statusCode == TStatusCode.SUCCESS_STATUS:
                ok += 1
            elif "Invalid session id" in status.errorMessage:
                gone.append(entry)
            else:
                broken += 1
        print("ok %d told %d broken %d" % (ok, len(gone), broken))
        return gone

    for line in sys.stdin:
        if line.strip() == "run":
            told = run(pool)
            continue
        for entry in told:
            entry[1] = open_session(entry[0])
        if line.strip() == "reopen":
            told = run(told)
        else:
            seen = collections.Counter(pid(session, lambda: connection) for connection, session in pool)
            print(" ".join("%d:%d" % entry for entry in seen.items()))
elif what == "forged":
    connection, told = Connection(), collections.Counter()
    session, other = open_session(connection), open_session(connection)
    handle, tag = session.sessionId, session.sessionId.secret[16:]
    plain = handle.secret[:16]
    forged = [handle.secret[:at] + bytes([handle.secret[at] ^ 1]) + handle.secret[at + 1 :] for at in range(40)]
    forged += [handle.secret[:30], handle.secret + b"x", plain + bytes(24)]
    forged += [plain + other.sessionId.secret[16:], other.sessionId.secret[:16] + tag]
    for secret in forged:
        handle.secret = secret
        status = connection.ExecuteStatement(TExecuteStatementReq(session, "select 1")).status
        told[status.errorMessage.strip().split(":")[0] if status.errorMessage else "taken"] += 1
    handle.secret = plain + tag
    for entry in sorted(told.items()):
        print("%s %d" % entry)
    pid(session, lambda: connection)
    print("still well")
elif what == "lost":
    connection = Connection()
    session = open_session(connection)
    for line in sys.stdin:
        if line.strip() == "run":
            status = connection.ExecuteStatement(TExecuteStatementReq(session, "select 1")).status
            print(status.sqlState, status.errorMessage.strip())
            continue
        if line.strip() == "reopen":
            session = open_session(connection)
        elif line.strip() == "anew":
            connection.close()
            connection = Connection()
        try:
            print(pid(session, lambda: connection))
        except SystemExit as refused:
            print(refused)
elif what == "quiet":
    first, other = Connection(), Connection(sys.argv[5])
    request = TExecuteStatementReq(open_session(first), "select sleep(%d)" % count, runAsync=True)
    operation = good(other.ExecuteStatement(request)).operationHandle
    time.sleep(count / 1000)
    while True:
        state = good(other.GetOperationStatus(TGetOperationStatusReq(operation))).operationState
        if state not in (0, 1, 7):
            break
    print(TOperationState._VALUES_TO_NAMES[state])
elif what == "known":
    others = sys.argv[5] if len(sys.argv) > 5 else host
    pool = [Connection()] + [Connection(others) for _ in range(count - 1)]
    session = open_session(pool[0])
    for connection in pool:
        status = connection.ExecuteStatement(TExecuteStatementReq(session, "select 1")).status
        print("known" if status.statusCode == TStatusCode.SUCCESS_STATUS else status.errorMessage.strip())
else:
    pool = [Connection() for _ in range(12)]
    choice = random.Random(1)
    session = open_session(pool[0])
    for number in range(count):
        if number % 10 == 9:
            # Hue's processes come and go; the session stays.
            pool.pop(0).close()
            pool.append(Connection())
        print(pid(session, lambda: choice.choice(pool)))
    good(pool[-1].CloseSession(TCloseSessionReq(session)))
    for connection in pool:
        connection.close()

"""Hive's own dialect with PLAIN, as drivers speak it and call by call.

usage: hive.py HOST PORT drivers            one statement through PyHive and through impyla, and an error of each
       hive.py HOST PORT calls HOST2        a session of a connection to HOST, used over others to HOST2: the number
                                            of rows read, and lengths of the session's and the operation's secret
       hive.py HOST PORT stranger           what is said of a session and an operation that nobody made
"""

import itertools
import sys

import sasl
from TCLIService import TCLIService
from TCLIService.ttypes import (
    TCloseOperationReq,
    TCloseSessionReq,
    TExecuteStatementReq,
    TFetchOrientation,
    TFetchResultsReq,
    TGetOperationStatusReq,
    THandleIdentifier,
    TOpenSessionReq,
    TOperationHandle,
    TOperationState,
    TSessionHandle,
    TStatusCode,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TSocket import TSocket
from thrift_sasl import TSaslClientTransport

host, port, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connected(to):
    def client():
        made = sasl.Client()
        made.setAttr("username", "alice")
        made.setAttr("password", "secret")
        made.init()
        return made

    socket = TSocket(to, port)
    socket.setTimeout(60000)
    transport = TSaslClientTransport(client, "PLAIN", socket)
    transport.open()
    return TCLIService.Client(TBinaryProtocol(transport))


def good(reply):
    if reply.status.statusCode not in (TStatusCode.SUCCESS_STATUS, TStatusCode.SUCCESS_WITH_INFO_STATUS):
        sys.exit("%s %s" % (reply.status.sqlState, reply.status.errorMessage))
    return reply


def opened(client):
    return good(client.OpenSession(TOpenSessionReq(client_protocol=5, username="alice"))).sessionHandle


if what == "drivers":
    from impala import dbapi
    from pyhive import hive

    for connection in (
        hive.connect(host, port, username="alice", password="secret", auth="LDAP"),
        dbapi.connect(host=host, port=port, auth_mechanism="PLAIN", user="alice", password="secret"),
    ):
        cursor = connection.cursor()
        cursor.execute("select id, concat('row ', id) from range(25000)")
        rows = cursor.fetchall()
        print(len(rows), rows[24999])
        try:
            cursor.execute("select nonsense from nowhere")
        except Exception as error:
            print("TABLE_OR_VIEW_NOT_FOUND" in str(error))
        cursor.execute("select current_user()")
        print(cursor.fetchall()[0][0])
        cursor.close()
        connection.close()
elif what == "calls":
    first = connected(host)
    session = opened(first)
    others = itertools.cycle([connected(sys.argv[4]) for _ in range(4)])
    statement = TExecuteStatementReq(session, "select id from range(3000)", runAsync=True)
    operation = good(next(others).ExecuteStatement(statement)).operationHandle
    while True:
        state = good(next(others).GetOperationStatus(TGetOperationStatusReq(operation))).operationState
        if state == TOperationState.FINISHED_STATE:
            break
    count = 0
    while True:
        fetch = TFetchResultsReq(operation, TFetchOrientation.FETCH_NEXT, 1000)
        rows = len(good(next(others).FetchResults(fetch)).results.columns[0].i64Val.values)
        if rows == 0:
            break
        count += rows
    good(next(others).CloseOperation(TCloseOperationReq(operation)))
    own = session.sessionId.secret != operation.operationId.secret
    print(count, len(session.sessionId.secret), len(operation.operationId.secret), own)
    good(next(others).CloseSession(TCloseSessionReq(session)))
else:
    client = connected(host)
    before = opened(client)
    stranger = THandleIdentifier(b"0123456789abcdef", b"fedcba9876543210")
    status = client.ExecuteStatement(TExecuteStatementReq(TSessionHandle(stranger), "select 1")).status
    print(status.statusCode, status.errorMessage.strip())
    operation = TOperationHandle(stranger, 0, True)
    status = client.GetOperationStatus(TGetOperationStatusReq(operation)).status
    print(status.statusCode, status.errorMessage.strip().replace("\n", " "))
    # Neither the connection nor its session has suffered.
    good(client.ExecuteStatement(TExecuteStatementReq(before, "select 1")))
    print("known still")
    good(client.CloseSession(TCloseSessionReq(opened(client))))
    print("goes on")

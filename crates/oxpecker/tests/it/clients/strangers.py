"""Alice has a session with a statement that runs; Mallory knows their ids from a log, not their secrets.
A test steers by lines, one line of answer for each.

usage: strangers.py HOST PORT
begin       Alice opens a session and starts a long statement
poll        Mallory asks for the state of Alice's statement
run SQL     Mallory runs a statement in Alice's session
oneway      Mallory opens a session by a call that wants no answer, and closes Alice's with the next
pipelined   Mallory does the same with calls that are sent at once and have one number
alice       what Alice hears of her statement
"""

import sys

from impala_thrift_gen.TCLIService import TCLIService
from impala_thrift_gen.TCLIService.ttypes import (
    TCloseSessionReq,
    TExecuteStatementReq,
    TGetOperationStatusReq,
    THandleIdentifier,
    TOpenSessionReq,
    TOperationHandle,
    TSessionHandle,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport


class Connection(TCLIService.Client):
    def __init__(self):
        socket = TSocket(sys.argv[1], int(sys.argv[2]))
        socket.setTimeout(20000)
        self.transport = TBufferedTransport(socket)
        self.transport.open()
        super().__init__(TBinaryProtocol(self.transport))

    def put(self, name, kind, number, args):
        """A call, perhaps not sent yet."""
        self._oprot.writeMessageBegin(name, kind, number)
        args.write(self._oprot)
        self._oprot.writeMessageEnd()

    def hear(self, result):
        name, kind, number = self._iprot.readMessageBegin()
        result.read(self._iprot)
        self._iprot.readMessageEnd()
        return "%s %d %d" % (name, number, result.success.status.statusCode)


def guessed(handle):
    return THandleIdentifier(handle.guid, bytes(16))


alice, mallory = Connection(), Connection()


def trick(kind, numbers):
    opening = TCLIService.OpenSession_args(TOpenSessionReq(client_protocol=5, username="mallory"))
    closing = TCLIService.CloseSession_args(TCloseSessionReq(TSessionHandle(guessed(session.sessionId))))
    mallory.put("OpenSession", kind, numbers[0], opening)
    mallory.put("CloseSession", TMessageType.CALL, numbers[1], closing)
    mallory.transport.flush()
    told = [mallory.hear(TCLIService.OpenSession_result()), mallory.hear(TCLIService.CloseSession_result())]
    return ", ".join(told)


for line in sys.stdin:
    verb, _, rest = line.strip().partition(" ")
    if verb == "begin":
        session = alice.OpenSession(TOpenSessionReq(client_protocol=5, username="alice")).sessionHandle
        request = TExecuteStatementReq(session, "select sleep(600000)", runAsync=True)
        operation = alice.ExecuteStatement(request).operationHandle
        print("begun")
    elif verb == "poll":
        handle = TOperationHandle(guessed(operation.operationId), operation.operationType, True)
        status = mallory.GetOperationStatus(TGetOperationStatusReq(handle)).status
        print(status.statusCode, status.errorMessage.strip())
    elif verb == "run":
        request = TExecuteStatementReq(TSessionHandle(guessed(session.sessionId)), rest)
        status = mallory.ExecuteStatement(request).status
        print(status.statusCode, status.errorMessage.strip())
    elif verb == "oneway":
        print(trick(TMessageType.ONEWAY, (7, 8)))
    elif verb == "pipelined":
        print(trick(TMessageType.CALL, (9, 9)))
    elif verb == "alice":
        status = alice.GetOperationStatus(TGetOperationStatusReq(operation))
        print(status.status.statusCode, status.operationState)
    sys.stdout.flush()

"""Sessions of impyla that a test steers line by line; one line of answer for each.

usage: sessions.py HOST PORT [USER PASSWORD [PATH] | KRBHOST]    PATH: over HTTP with Basic; KRBHOST: with
Kerberos, the host of the principal
open NAME          connects and opens a session: the coordinator's process id
run NAME SQL       the rows, or the error
start NAME SQL     starts a statement without waiting for it
finish NAME        waits for that statement: the rows, or the error
close NAME         closes session and connection
again NAME         another session over the same connection: the coordinator's process id
long NAME N        a statement with a text of N characters: its length, as the coordinator sees it
connects N         so many new sessions in turn, each asked for the process id
"""

import collections
import sys

from impala.dbapi import connect

host, port = sys.argv[1], int(sys.argv[2])
login = {"auth_mechanism": "NOSASL"}
if len(sys.argv) == 4:
    login = {"auth_mechanism": "GSSAPI", "kerberos_service_name": "impala", "krb_host": sys.argv[3]}
elif len(sys.argv) > 4:
    login = {"auth_mechanism": "PLAIN", "user": sys.argv[3], "password": sys.argv[4]}
if len(sys.argv) > 5:
    login.update({"use_http_transport": True, "http_path": sys.argv[5]})
open_ones = {}


def new():
    connection = connect(host=host, port=port, **login)
    return connection, connection.cursor()


def pid(cursor):
    cursor.execute("select pid()")
    return str(cursor.fetchall()[0][0])


def answer(verb, name, sql):
    if verb == "open":
        open_ones[name] = new()
        return pid(open_ones[name][1])
    if verb == "connects":
        seen = collections.Counter()
        for _ in range(int(name)):
            connection, cursor = new()
            seen[pid(cursor)] += 1
            cursor.close()
            connection.close()
        return " ".join("%s:%d" % entry for entry in sorted(seen.items()))
    connection, cursor = open_ones[name]
    if verb == "again":
        open_ones[name] = connection, connection.cursor()
        return pid(open_ones[name][1])
    if verb == "long":
        cursor.execute("select length('%s')" % ("x" * int(sql)))
        return str(cursor.fetchall())
    if verb == "run":
        cursor.execute(sql)
        return str(cursor.fetchall())
    if verb == "start":
        cursor.execute_async(sql)
        return "started"
    if verb == "finish":
        cursor._wait_to_finish()
        return str(cursor.fetchall())
    if verb == "close":
        cursor.close()
        connection.close()
        return "closed"
    raise ValueError(verb)


for line in sys.stdin:
    verb, name, sql = (line.split(None, 2) + ["", ""])[:3]
    try:
        print(answer(verb, name, sql.strip()))
    except Exception as error:
        text = str(error).replace("\n", " ")
        print("ERROR %s %s" % (type(error).__name__, text))

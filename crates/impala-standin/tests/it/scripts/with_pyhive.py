"""PyHive with SASL PLAIN.

usage: with_pyhive.py PORT
"""

import sys

from pyhive import hive

connection = hive.connect("127.0.0.1", int(sys.argv[1]), username="alice", password="secret", auth="LDAP")
cursor = connection.cursor()
cursor.execute("select pid(), user(), cast(null as string)")
print(cursor.fetchall())
cursor.execute("select count(*) from orders")
print(cursor.fetchone())
cursor.execute("select value from generate_series(1, 100000)")
print(sum(row[0] for row in cursor.fetchall()))
try:
    cursor.execute("select nonsense")
except hive.OperationalError as error:
    print(error.args[0].status.errorMessage.strip().splitlines()[-1])
try:
    hive.connect("127.0.0.1", int(sys.argv[1]), username="alice", password="wrong", auth="LDAP")
except Exception as error:
    print(type(error).__name__, error)
connection.close()

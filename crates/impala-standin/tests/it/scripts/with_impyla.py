"""impyla against a stand-in with sample data.

usage: with_impyla.py PORT none|plain|http|http-login
Prints results, one per line; the test compares them.
"""

import sys

from impala.dbapi import connect
from impala.error import Error

port, mode = int(sys.argv[1]), sys.argv[2]
login = {"user": "alice", "password": "secret"}
options = {
    "none": {},
    "plain": dict(auth_mechanism="PLAIN", **login),
    "http": dict(use_http_transport=True, http_path="cliservice"),
    "http-login": dict(use_http_transport=True, http_path="cliservice", auth_mechanism="PLAIN", **login),
}[mode]
connection = connect("127.0.0.1", port, timeout=60, **options)
cursor = connection.cursor()

cursor.execute("select pid(), user()")
print(cursor.fetchall()[0])

cursor.execute("select id, name, email, signed_up, vip from customers where id in (28, 29) order by id")
for row in cursor.fetchall():
    print(row)
print([(name, kind) for name, kind, *_ in cursor.description])

cursor.execute("select amount, cast(null as int) from orders where id = 1")
print(cursor.fetchall())

# A million rows, every third with a NULL.
cursor.execute(
    "select value, concat('row ', value) as text, case when value % 3 = 0 then null else value * 0.5 end as half "
    "from generate_series(1, 1000000)"
)
rows = total = nulls = 0
while True:
    batch = cursor.fetchmany(10240)
    if not batch:
        break
    rows += len(batch)
    total += sum(row[0] for row in batch)
    nulls += sum(row[2] is None for row in batch)
    last = batch[-1]
print(rows, total, nulls, last)

cursor.execute("create table if not exists made_by_impyla (a bigint)")
cursor.execute("insert into made_by_impyla values (1), (2), (null)")
print("inserted", cursor.rowcount)

try:
    cursor.execute("select nonsense from customers")
except Error as error:
    print(str(error).strip().splitlines()[-1])

cursor.get_tables(database_name="default")
print(sorted(row[2] for row in cursor.fetchall() if row[2] != "made_by_impyla"))
print(cursor.get_table_schema("web_logs")[:2])

cursor.execute_async("select sleep(60000)")
cursor.cancel_operation()
print("cancelled")
cursor.close()
connection.close()

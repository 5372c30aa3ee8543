"""The same statements through several drivers.

usage: drivers.py HOST PORT impyla|impyla-plain|impyla-http|pyhive
"""

import sys
import zlib

host, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]

if how == "pyhive":
    from pyhive import hive

    connection = hive.connect(host, port, username="alice", password="secret", auth="LDAP")
else:
    from impala.dbapi import connect

    options = {
        "impyla": {"auth_mechanism": "NOSASL"},
        "impyla-plain": {"auth_mechanism": "PLAIN", "user": "alice", "password": "secret"},
        "impyla-http": {"auth_mechanism": "NOSASL", "use_http_transport": True, "http_path": "cliservice"},
    }
    connection = connect(host=host, port=port, **options[how])

cursor = connection.cursor()
cursor.execute("select pid()")
print(cursor.fetchall()[0][0])

cursor.execute(
    "select c.id, c.name, c.vip, c.signed_up, o.amount, w.seconds from customers c "
    "join orders o on o.id = c.id join (select min(seconds) + 1.409 as seconds from web_logs) w "
    "where c.id = 1"
)
for column in cursor.description:
    print(column[0].split(".")[-1], column[1].replace("_TYPE", ""))
row = cursor.fetchall()[0]
print(row[:3] + (str(row[3]), str(row[4]), round(row[5], 3)))


def checksum(rows):
    total, crc = 0, 0
    for number, text in rows:
        total += number
        crc = zlib.crc32(text.encode(), crc)
    return total, crc


cursor.execute("select value, concat('row ', cast(value as string)) from generate_series(1, 1000000)")
if checksum(cursor) == checksum((n, "row %d" % n) for n in range(1, 1000001)):
    print("a million rows as sent")
cursor.close()
connection.close()

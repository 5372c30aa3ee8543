//! Sample data: a small shop with customers, orders and a web server's log. The same rows every
//! time.

use rusqlite::Connection;

/// Fills an empty database; does nothing where the tables are there, so several stand-ins may share
/// a file.
pub(crate) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let there: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_master WHERE name IN ('customers', 'orders', 'web_logs')",
        [],
        |row| row.get(0),
    )?;
    let done = if there == 0 { connection.execute_batch(SAMPLE) } else { Ok(()) };
    match done {
        Ok(()) => connection.execute_batch("COMMIT"),
        Err(error) => {
            connection.execute_batch("ROLLBACK")?;
            Err(error)
        }
    }
}

/// Multiplication with a prime, modulo another one, mixes well enough to look like life.
const SAMPLE: &str = "
CREATE TABLE customers (id INT, name TEXT, email TEXT, city TEXT, country TEXT, signed_up TIMESTAMP, vip BOOLEAN);
WITH
  first(i, n) AS (VALUES (0,'Amara'),(1,'Baraka'),(2,'Chipo'),(3,'Dalila'),(4,'Enzo'),(5,'Freya'),(6,'Goran'),(7,'Hana'),
    (8,'Imani'),(9,'Jonas'),(10,'Kofi'),(11,'Lindiwe'),(12,'Mateo'),(13,'Naledi'),(14,'Oskar'),(15,'Priya')),
  last(i, n) AS (VALUES (0,'Okafor'),(1,'Meyer'),(2,'Silva'),(3,'Kimani'),(4,'Novak'),(5,'Dlamini'),(6,'Rossi'),(7,'Tanaka'),
    (8,'Haddad'),(9,'Lindqvist'),(10,'Mwangi')),
  place(i, city, country) AS (VALUES (0,'Nairobi','KE'),(1,'Lusaka','ZM'),(2,'Berlin','DE'),(3,'Porto','PT'),(4,'Cape Town','ZA'),
    (5,'Osaka','JP'),(6,'Lyon','FR'),(7,'Gaborone','BW'),(8,'Turin','IT'))
INSERT INTO customers
SELECT value, first.n || ' ' || last.n,
  CASE WHEN value % 29 = 0 THEN NULL ELSE lower(first.n) || '.' || lower(last.n) || value || '@example.com' END,
  city, country,
  strftime('%Y-%m-%d %H:%M:%S', 1577836800 + value * 7919 % 126230400, 'unixepoch'), value % 13 = 0
FROM generate_series(1, 2000)
JOIN first ON first.i = value * 7 % 16 JOIN last ON last.i = value * 5 % 11 JOIN place ON place.i = value * 4 % 9
ORDER BY value;
CREATE TABLE orders (id BIGINT, customer_id INT, product TEXT, quantity SMALLINT, amount DECIMAL(10,2), ordered TIMESTAMP, status TEXT);
WITH
  product(i, n, price) AS (VALUES (0,'binoculars',129.90),(1,'tent',249.00),(2,'hat',19.50),(3,'boots',99.95),(4,'map',7.25),
    (5,'lantern',34.40),(6,'water bottle',12.00)),
  status(i, n) AS (VALUES (0,'shipped'),(1,'shipped'),(2,'shipped'),(3,'open'),(4,'returned'))
INSERT INTO orders
SELECT value, value * 7919 % 2000 + 1, product.n, value % 4 + 1, product.price * (value % 4 + 1),
  strftime('%Y-%m-%d %H:%M:%S', 1704067200 + value * 5407, 'unixepoch'), status.n
FROM generate_series(1, 8000)
JOIN product ON product.i = value * 3 % 7 JOIN status ON status.i = value * 2 % 5
ORDER BY value;
CREATE TABLE web_logs (at TIMESTAMP, client TEXT, method TEXT, path TEXT, status SMALLINT, bytes BIGINT, seconds DOUBLE);
WITH page(i, n) AS (VALUES (0,'/'),(1,'/search'),(2,'/cart'),(3,'/login'),(4,'/product/tent'),(5,'/product/hat'),(6,'/help'))
INSERT INTO web_logs
SELECT strftime('%Y-%m-%d %H:%M:%S', 1735689600 + value * 41, 'unixepoch'),
  '10.' || value * 31 % 7 || '.' || value * 131 % 256 || '.' || value * 17 % 250,
  CASE WHEN value % 11 = 0 THEN 'POST' ELSE 'GET' END, page.n,
  CASE WHEN value % 97 = 0 THEN 500 WHEN value % 31 = 0 THEN 404 ELSE 200 END,
  CASE WHEN value % 31 = 0 THEN NULL ELSE value * 7919 % 90000 + 200 END, (value * 7919 % 1500) / 1000.0
FROM generate_series(1, 5000) JOIN page ON page.i = value * 5 % 7
ORDER BY value;
";

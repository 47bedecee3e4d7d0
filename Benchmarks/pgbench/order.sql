-- What one order writes until it is confirmed, in the shop's own tables, as one transaction: the machine's own limit
-- for shops that commit each order by itself. The order's number is above any that the shop gives.
\set n random(1000000000, 1000000000000000)
\set v random(:first, :last)
BEGIN;
SELECT order_id, fingerprint FROM orders.idempotency_keys WHERE scope = 'bench' AND key = 'key_' || :n;
SELECT p.handle, v.price FROM products.variants v JOIN products.products p ON p.id = v.product WHERE v.id = :v;
INSERT INTO orders.orders (id, number, status, payment_status, fulfilment_status, email, currency, subtotal, discount, shipping, tax, tax_included, total, shipping_method, address, line_count, pieces, created_at, updated_at) VALUES ('bench_' || :n, :n, 'pending', 'pending', 'unfulfilled', 'ada@example.com', 'GBP', 1999, 0, 0, 0, 0, 1999, 'standard', '{"name":"Ada L.","line1":"1 High St","city":"Leeds","postal_code":"LS1 1AA","country":"GB"}', 1, 1, 1795258730896006, 1795258730896006);
INSERT INTO orders.order_lines (order_id, position, sku, title, quantity, unit_price, total, image) VALUES ('bench_' || :n, 0, 'BENCH', 'A lamp, Large', 1, 1999, 1999, NULL);
INSERT INTO orders.idempotency_keys (scope, key, fingerprint, order_id) VALUES ('bench', 'key_' || :n, :n, 'bench_' || :n);
INSERT INTO orders.sagas (order_id, kind, token, cart, owner, lease_until, started_at) VALUES ('bench_' || :n, 'checkout', 'tok_approved', NULL, 'bench', 4102444800000000, 1795258730896006);
INSERT INTO products.reservations (order_id, state, lines, expires_at, at) VALUES ('bench_' || :n, 'held', '1 BENCH', 4102444800000000, 1795258730896006) ON CONFLICT (order_id) DO NOTHING;
UPDATE products.variants SET reserved = reserved + 1, movements = movements + 1 WHERE id = :v;
INSERT INTO products.stock_movements (variant, number, kind, on_hand, reserved, order_id, reason, at) VALUES (:v, :n, 'reserved', 0, 1, 'bench_' || :n, NULL, 1795258730896006);
INSERT INTO sandbox.holds (key, status, amount, currency, reason) VALUES ('bench_' || :n, 'held', 1999, 'GBP', NULL) ON CONFLICT (key) DO NOTHING;
INSERT INTO payments.payments (order_id, status, amount, currency, provider, reference, created_at, updated_at) VALUES ('bench_' || :n, 'authorized', 1999, 'GBP', 'sandbox', 'sandbox_' || :n, 1795258730896006, 1795258730896006);
INSERT INTO payments.postings (order_id, entry, account, amount, currency, at) VALUES ('bench_' || :n, 'authorize', 'customers', -1999, 'GBP', 1795258730896006), ('bench_' || :n, 'authorize', 'holds', 1999, 'GBP', 1795258730896006);
UPDATE orders.orders SET status = 'confirmed', payment_status = 'authorized', updated_at = 1795258730945006, confirmed_at = 1795258730945006 WHERE id = 'bench_' || :n AND status = 'pending';
DELETE FROM orders.sagas WHERE order_id = 'bench_' || :n;
INSERT INTO orders.outbox (id, type, subject, time, data, trace, consumer) VALUES ('evt_' || :n, 'bench', 'bench_' || :n, 1795258730945006, decode(repeat('7b', 400), 'hex'), NULL, NULL);
COMMIT;

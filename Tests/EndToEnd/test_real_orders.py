"""Seven months of a British gift shop's orders, placed through HTTP: every line and every penny is there."""

from past_orders import described, replay, sales_report


def test_real_orders(new_shop, shared_file, tmp_path):
    past = described(shared_file("orders/online-retail-2010-12_2011-06.csv"), tmp_path)
    assert (past.orders, past.lines, past.revenue) == (9_659, 239_931, 482_646_649)
    shop = new_shop().fill(catalogue=past.catalogue).start()

    first = replay(shop, past.file)
    assert (first["placed"], first["replayed"], first["failed"]) == (past.orders, 0, [])
    report = sales_report(shop)
    assert (report["orders"], report["lines"]) == (past.orders, past.lines)
    assert report["revenue"] == [{"amount": past.revenue, "currency": "GBP"}]

    again = replay(shop, past.file)
    assert (again["placed"], again["replayed"], again["failed"]) == (0, past.orders, [])
    assert sales_report(shop) == report, "the same orders again change nothing"
    shop.stop()
    shop.audit()

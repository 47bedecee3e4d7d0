"""What the pages promise to caches, crawlers and other sites."""

import json
import re

import httpx
import pytest


def log_in_by_form(shop) -> httpx.Client:
    client = shop.client(Origin=shop.url)
    account = {"email": "staff@souk.example", "password": "a long password for staff"}
    answer = client.post("/login", data=account)
    assert answer.status_code == 303, answer.text
    return client


@pytest.mark.parametrize("path", ["/", "/search?q=lamp", "/products/ample-lamp"])
def test_page_is_the_same_for_every_visitor(shop, path):
    anonymous, staff = shop.http.get(path), log_in_by_form(shop).get(path)
    assert anonymous.content == staff.content
    assert "set-cookie" not in anonymous.headers
    assert "public" in anonymous.headers["cache-control"]


@pytest.mark.parametrize("path", ["/cart", "/account", "/checkout", "/staff"])
def test_personal_page_is_not_kept_by_caches(shop, path):
    answer = log_in_by_form(shop).get(path)
    assert re.search("private|no-store", answer.headers["cache-control"])


def test_staff_pages_are_for_staff(shop):
    assert shop.http.get("/staff").status_code in (302, 303, 401, 403, 404)
    assert shop.http.get("/staff/orders").status_code in (302, 303, 401, 403, 404)


def test_assets_have_hashed_names_and_long_lives(shop):
    home = shop.http.get("/").text
    for path in re.findall(r'<link rel="stylesheet" href="([^"]+)"', home) + re.findall(
        r'<script[^>]+src="([^"]+)"', home
    ):
        answer = shop.http.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert re.search(r"[0-9a-f]{8,}", path)


def test_headers_guard_the_page(shop):
    headers = shop.http.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "referrer-policy" in headers
    assert "frame-ancestors" in policy or "x-frame-options" in headers


@pytest.mark.parametrize("path", ["/cart/lines", "/checkout", "/login", "/logout", "/register"])
def test_form_of_another_site_is_refused(shop, path):
    client = log_in_by_form(shop)
    forged = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post(path, data={"sku": "AMPLE-0", "quantity": "1"}, headers=forged).status_code == 403


def test_log_in_leads_only_inside(shop):
    account = {"email": "staff@souk.example", "password": "a long password for staff"}
    for outside in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        answer = httpx.post(shop.url + "/login", data={**account, "next": outside}, headers={"Origin": shop.url})
        assert answer.status_code == 303
        assert "elsewhere" not in answer.headers["location"]


def test_cookie_is_out_of_reach_of_scripts(shop):
    account = {"email": "staff@souk.example", "password": "a long password for staff"}
    answer = httpx.post(shop.url + "/login", data=account, headers={"Origin": shop.url})
    for cookie in answer.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert re.search("SameSite=(Lax|Strict)", cookie)


def test_sitemap_names_every_product(shop):
    text = shop.http.get("/sitemap.xml").text
    assert "/products/ample-lamp" in text
    assert text.count("<loc>") >= 302
    assert shop.http.get("/robots.txt").status_code == 200


def test_product_page_describes_itself(shop):
    text = shop.http.get("/products/ample-lamp").text
    assert re.search(r'<link rel="canonical" href="[^"]*/products/ample-lamp">', text)
    data = [json.loads(part) for part in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.S)]
    types = json.dumps(data)
    assert '"Product"' in types or '"ProductGroup"' in types
    assert "19.99" in types
    assert "GBP" in types

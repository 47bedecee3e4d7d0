"""The shop with its pictures in S3 and its letters handed to a mail server."""

import re
from email import message_from_bytes, policy

import pytest
from shop import eventually, order_for, souk, write_catalogue


def bucket(facts) -> dict[str, str]:
    key, secret = facts["allowed"]
    url = f"s3://{facts['bucket']}?region={facts['region']}&endpoint=http://127.0.0.1:{facts['port']}&prefix=shop"
    return {"SOUK_OBJECTS": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def test_pictures_are_in_s3(new_shop, s3):
    settings = bucket(s3)
    shop = new_shop(**settings)
    souk("demo", "--data", shop.data, "--products", 5, "--seed", 1, **settings)
    shop.start()
    page = shop.http.get("/").text
    picture = re.search(r"/images/[^\"' ]+", page)[0]
    answer = shop.http.get(picture)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.text.startswith("<svg")
    assert not list(shop.data.glob("objects/**/*,object"))
    shop.stop()


def test_letters_go_to_the_mail_server(new_shop, smtp, tmp_path):
    login = "souk%40example.com:p%40ss%3Aw%2Frd%25"
    shop = new_shop(SOUK_MAIL=f"smtp://{login}@localhost:{smtp['starttls']}?ca={smtp['ca']}")
    rows = [{"handle": "lamp", "sku": "LAMP", "stock": 9, "price": "19.99"}]
    shop.fill(catalogue=write_catalogue(tmp_path / "lamps.csv", rows)).start()
    number = shop.order(order_for("LAMP")).json()["number"]
    box = tmp_path / "smtp/starttls"
    file = eventually(lambda: next(iter(box.glob("*.eml")), None), "the letter has arrived")
    letter = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert letter["To"] == "ada@example.com"
    assert number in letter.get_body(("plain",)).get_content()
    shop.stop()
    assert "p@ss" not in shop.log()
    assert "p%40ss" not in shop.log()
    shop.audit()


@pytest.mark.parametrize(
    ("setting", "url", "words"),
    [
        ("SOUK_OBJECTS", "s3://Shop?region=eu-west-1", "expected 3 to 63 small letters"),
        ("SOUK_OBJECTS", "s3://shop?region=eu-west-1&regoin=x", "'regoin'"),
        ("SOUK_OBJECTS", "gs://shop", "expected file:FOLDER or s3://BUCKET"),
        ("SOUK_OBJECTS", "s3://shop?region=eu-west-1", "AWS_ACCESS_KEY_ID"),
        ("SOUK_MAIL", "smtp://ada@mail.example", "the user has no password"),
        ("SOUK_MAIL", "smtp://ada:topsecret@mail.example?tls=maybe", "'maybe'"),
        ("SOUK_MAIL", "smtps://ada:topsecret@mail.example", "expected smtp://"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, setting, url, words):
    environment = {setting: url, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    result = souk("demo", "--data", tmp_path / "data", "--products", 1, check=False, **environment)
    assert result.returncode == 64, result.stderr
    assert setting in result.stderr
    assert words in result.stderr
    assert "topsecret" not in result.stderr

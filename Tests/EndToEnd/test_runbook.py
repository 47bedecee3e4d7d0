"""The runbook is tried: each of its commands is run as it stands.

Here, those of a local fleet on this fleet while it is well. Those of an alert are run again while a fault makes its
situation, in test_runbook_situations.py, those of drills in test_runbook_drills.py, and those of a cluster in
test_runbook_cluster.py.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import runbook
from fleet_desk import BOOK, LOCAL, NOTHING_FOUND, Desk
from runbook import Command
from shop import eventually

# They change the fleet, so each runs alone; the rest only looks.
CHANGES = re.compile(r"^(fleet (restart|kill|down|souk migrate)|souk (load|migrate)|sql .*terminate)")


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_nothing_is_left_that_is_no_command_and_no_known_word():
    assert runbook.unknown_words(BOOK) == []


PLANTED = {
    "no shell reads it": ("fleet status; tail", "fleet status; (tail"),
    "nobody has this program": ("`git log -5`", "`gti log -5`"),
    "the fleet has no such command": ("`fleet souk audit`", "`fleet sook audit`"),
    "nothing says these words": ("`an order is left to recovery`", "`an order is left to fate`"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_seen(request, tmp_path, name):
    old, new = PLANTED[name]
    text = runbook.RUNBOOK.read_text()
    assert old in text, f"plant {name!r} elsewhere"
    copy = tmp_path / "runbook.md"
    copy.write_text(text.replace(old, new, 1))
    if "no shell" in name:
        with pytest.raises(AssertionError, match="no shell reads this"):
            runbook.read(copy)
        return
    book = runbook.read(copy)
    if "fleet" not in name:
        assert len(runbook.unknown_words(book)) == 1
        return
    (planted,) = set(book.commands) - set(BOOK.commands)
    with pytest.raises(AssertionError):
        request.getfixturevalue("desk").printed([planted])


# --- while the fleet is well ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked(desk) -> dict[Command, object]:
    """The results of all that only look, a few at a time."""
    commands = [each for each in LOCAL if not CHANGES.search(each.text)]
    with ThreadPoolExecutor(6) as pool:
        return dict(zip(commands, pool.map(desk.run, commands), strict=True))


@pytest.mark.parametrize("command", LOCAL, ids=str)
def test_command_of_a_fleet(desk, looked, command):
    if "fleet up" in command.text:
        return grow(desk, command)
    if "PID" in command.text:
        pytest.skip("there is nothing to end: tried where the database is saturated")
    result = looked[command] if command in looked else desk.run(command)
    nothing = result.returncode == 1 and NOTHING_FOUND.search(command.text) and not result.stderr
    assert result.returncode == 0 or nothing, f"{result.returncode}\n{result.stdout}{result.stderr}"
    if command not in looked:
        eventually(desk.is_whole, "the fleet is whole", 90)


def grow(desk: Desk, command: Command) -> None:
    """The fleet is stopped, and another one stands over the same data until the first takes its place again."""
    shop, results = desk.shop, []
    thread = threading.Thread(target=lambda: results.append(desk.run(command)))
    thread.start()
    try:
        eventually(lambda: shop.facts().get("state") == "ready" and not is_this(shop), "the other one is ready", 120)
        names = {each["name"] for each in shop.status()["processes"]}
    finally:
        shop.run("down")
        thread.join(60)
        shop.process.wait(60)
        shop.process = None
        shop.start()
    assert {f"orders-{number}" for number in (1, 2, 3, 4)} <= names
    assert results[0].returncode == 0, results[0].stderr


def is_this(shop) -> bool:
    return shop.process.poll() is None

"""The deployment is right, and each kind of mistake in it would be seen."""

import pytest
from checks import CHECKS, ROOT, Absent, Check, Mistake, copy, modules

MISTAKES: list[Mistake] = [mistake for module in modules() for mistake in getattr(module, "MISTAKES", [])]


def area(function: Check) -> str:
    return f"{function.__module__.removeprefix('checks.')}-{function.__name__}"


def findings(check: Check, root) -> list[str]:
    try:
        return check(root)
    except Absent as absent:
        pytest.skip(str(absent))


@pytest.mark.parametrize("check", CHECKS, ids=area)
def test_finds_nothing(check):
    assert findings(check, ROOT) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name.replace(" ", "-"))
def test_finds_a_planted(mistake, tmp_path):
    mistake.plant(copy(tmp_path))
    found = findings(mistake.check, tmp_path)
    assert any(mistake.says in finding for finding in found), found

"""The matrix of drills (tests/drills): what it goes on with after an interruption, and what it puts aside. No drill is carried out."""

import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAN = {"faults": ["clock-off", "disk-full", "haproxy-frozen"], "runs": 2, "heal": 0, "allowance": 0.0, "ledger": {}, "inventory": "inventories/lab/hosts.yml"}


@pytest.fixture(name="drills", scope="module")
def fixture_drills(load):
    return load("tests/drills")


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    return tmp_path / "matrix-lab.jsonl"


def result(fault, ok=True):
    return {"fault": fault, "runs": 2, "ok": ok, "rows": [{}], "lost": 0, "duplicated": 0, "sentences": []}


def aside(path):
    """What was put aside beside a matrix."""
    return list(path.parent.glob("matrix-lab-*.jsonl"))


def test_a_new_matrix_has_everything_to_do(drills, path):
    matrix = drills.Matrix(path, PLAN)
    assert matrix.left() == PLAN["faults"] and matrix.results == []
    assert json.loads(path.read_text(encoding="utf-8")) == PLAN


def test_one_that_was_interrupted_goes_on_where_it_stopped(drills, path):
    drills.Matrix(path, PLAN).add(result("clock-off", ok=False))
    again = drills.Matrix(path, PLAN)
    assert again.left() == ["disk-full", "haproxy-frozen"], "a verdict is a verdict, whatever it is"
    assert again.results == [result("clock-off", ok=False)] and not aside(path)
    again.add(result("disk-full"))
    assert drills.Matrix(path, PLAN).left() == ["haproxy-frozen"]


@pytest.mark.parametrize("changed", [
    {"faults": ["clock-off"]}, {"runs": 5}, {"heal": 25}, {"allowance": 5.0}, {"ledger": {"rate": 1}}, {"inventory": "inventories/mysite/hosts.yml"}])
def test_other_words_begin_another_one(drills, path, changed, capsys):
    drills.Matrix(path, PLAN).add(result("clock-off"))
    other = drills.Matrix(path, PLAN | changed)
    assert other.results == [] and other.left() == (PLAN | changed)["faults"]
    assert "An unfinished matrix of 3 faults is put aside" in capsys.readouterr().out
    kept, = aside(path)
    assert drills.lines_of(kept) == [PLAN, result("clock-off")]
    assert drills.lines_of(path) == [PLAN | changed]


@pytest.mark.parametrize("keep", [1, 40, -2, -1])
def test_a_line_that_was_cut_off_is_one_drill_to_be_done_again(drills, path, keep):
    """-1: it is whole, only its end of line is missing, so it counts."""
    matrix = drills.Matrix(path, PLAN)
    matrix.add(result("clock-off"))
    before = path.stat().st_size
    matrix.add(result("disk-full"))
    text = path.read_bytes()
    path.write_bytes(text[:before + keep] if keep > 0 else text[:keep])
    again = drills.Matrix(path, PLAN)
    done = ["clock-off"] + ["disk-full"] * (keep == -1)
    assert [item["fault"] for item in again.results] == done and not aside(path)
    again.add(result("haproxy-frozen"))
    assert [item["fault"] for item in drills.Matrix(path, PLAN).results] == done + ["haproxy-frozen"], "the next line was lost with the torn one"


def test_a_plan_that_was_cut_off_begins_anew(drills, path):
    path.write_text(json.dumps(PLAN)[:20], encoding="utf-8")
    assert drills.Matrix(path, PLAN).left() == PLAN["faults"]
    assert drills.Matrix(path, PLAN).left() == PLAN["faults"] and not aside(path)


def test_what_is_put_aside_at_the_end_is_kept(drills, path):
    matrix = drills.Matrix(path, PLAN)
    matrix.put_aside()
    assert not path.exists() and drills.lines_of(aside(path)[0]) == [PLAN]


def test_the_plan_holds_all_that_was_asked_for(drills):
    asked = {"FAULTS": "disk-full clock-off", "RUNS": "5", "HEAL": "25", "ALLOWANCE": "2.5", "LEDGER": '{"rate": 1}',
             "INVENTORY": "inventories/mysite/hosts.yml"}
    assert drills.plan_of(asked) == {"faults": ["disk-full", "clock-off"], "runs": 5, "heal": 25, "allowance": 2.5, "ledger": {"rate": 1},
                                     "inventory": "inventories/mysite/hosts.yml"}
    usual = drills.plan_of({"RUNS": "", "HEAL": "", "ALLOWANCE": "", "LEDGER": "", "INVENTORY": ""})
    assert usual == {"faults": usual["faults"], "runs": 1, "heal": 0, "allowance": 0.0, "ledger": {}, "inventory": "inventories/lab/hosts.yml"}
    assert {"disk-full", "two-of-three-cut"} < set(usual["faults"])
    assert json.loads(json.dumps(usual)) == usual, "it would differ from itself when it is read again"


@pytest.mark.parametrize("asked", [{"RUNS": "two"}, {"RUNS": "1.5"}, {"HEAL": "a while"}, {"ALLOWANCE": "much"}, {"LEDGER": "rate=1"}, {"LEDGER": "[1]"},
                                   {"RUNS": "0"}, {"HEAL": "-1"}, {"ALLOWANCE": "-0.5"}, {"ALLOWANCE": "inf"}, {"ALLOWANCE": "nan"}])
def test_words_that_mean_nothing(drills, asked):
    with pytest.raises(SystemExit, match="ALLOWANCE takes seconds, HEAL whole seconds, RUNS a whole number and LEDGER an object in JSON: "):
        drills.plan_of(asked)


@pytest.mark.parametrize("said", [True, False])
def test_a_drill_is_carried_out_as_planned(drills, tmp_path, monkeypatch, said):
    """With and without a line of the history, which a drill that was refused does not write."""
    called = {}

    def run(**options):
        called.update(options)
        if said:
            with open(tmp_path / "history.jsonl", "a", encoding="utf-8") as out:
                out.write(json.dumps(result("disk-full")) + "\n")

    monkeypatch.setattr(drills, "PLACE", tmp_path)
    monkeypatch.setattr(drills.ansible_runner, "run", run)
    (tmp_path / "history.jsonl").write_text(json.dumps(result("clock-off")) + "\n", encoding="utf-8")
    found = drills.drill_one("disk-full", PLAN | {"heal": 25, "allowance": 2.5, "ledger": {"rate": 1}, "inventory": "inventories/mysite/hosts.yml"})
    assert found == (result("disk-full") if said else None)
    asked = {name: value for name, value in called["extravars"].items() if name != "drill_runner_events"}
    assert asked == {"drill_fault": "disk-full", "drill_runs": 2, "drill_heal": 25, "drill_allowance": 2.5, "drill_ledger": {"rate": 1}}
    assert called["inventory"] == str(ROOT / "inventories/mysite/hosts.yml")

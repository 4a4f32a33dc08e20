"""keystile and an independent simulator decide the same, but for what docs/differential.md explains.

KEYSTILE_DIFFERENTIAL_CASES: how many cases are drawn; KEYSTILE_SEED: which.
"""

import collections
import json
import os
import re

import pytest

from ask import ROOT, iam_simulate, keystile
from cases import cases
from compare import decision, differences, explain
from rules import RULES

COUNT = int(os.environ.get("KEYSTILE_DIFFERENTIAL_CASES", "2000"))
SEED = os.environ.get("KEYSTILE_SEED", "1")
# Cases asked about at once.
BATCH = 2000
EXAMPLES = json.loads((ROOT / "fixtures/differential/rules.json").read_text())


@pytest.fixture(scope="module")
def examples():
    """Each rule's case with both answers and the rules that explain the difference."""
    names, drawn = list(EXAMPLES), [example["case"] for example in EXAMPLES.values()]
    ours, theirs = keystile(drawn)[0], iam_simulate(drawn)[0]
    found = {id(difference.case): difference.rules for difference in explain(differences(drawn, ours, theirs))}
    return {name: (decision(a), decision(b), found.get(id(case))) for name, case, a, b in zip(names, drawn, ours, theirs, strict=True)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_its_case_and_its_reason(rule, examples):
    example = EXAMPLES[rule.name]
    assert examples[rule.name] == (example["keystile"], example["iam_simulate"], (rule.name,))
    section = re.search(rf"^### {rule.name}\n(.*?)(?=^#|\Z)", (ROOT / "docs/differential.md").read_text(), re.M | re.S)
    assert section and "docs.aws.amazon.com" in section[1], "docs/differential.md does not explain it"


def test_no_case_is_without_a_rule():
    assert set(EXAMPLES) == {rule.name for rule in RULES}


def test_every_difference_is_explained(capsys):
    rules, decisions, seconds, unexplained = collections.Counter(), collections.Counter(), [0.0, 0.0], []
    for at in range(0, COUNT, BATCH):
        drawn = list(cases(f"{SEED}/{at}", min(BATCH, COUNT - at)))
        (ours, own), (theirs, other) = keystile(drawn), iam_simulate(drawn)
        seconds = [seconds[0] + own, seconds[1] + other]
        decisions.update(decision(answer) for answer in ours)
        for difference in explain(differences(drawn, ours, theirs)):
            rules.update(difference.rules)
            if not difference.rules:
                unexplained.append(difference)
    with capsys.disabled():
        print(f"\n{COUNT} cases, {dict(decisions)}; differences by rule: {dict(rules.most_common())}")
        print(f"decisions a second: keystile {COUNT / seconds[0]:.0f}, iam-simulate {COUNT / seconds[1]:.0f}")
    assert not unexplained, "\n".join(
        f"keystile {d.ours}, iam-simulate {d.theirs} (ignored: {d.ignored}): {json.dumps(d.case)}" for d in unexplained[:5])
    # The cases must be worth deciding, and a case that one side can't read proves nothing.
    assert set(decisions) == {"allow", "implicit_deny", "explicit_deny"}
    assert min(decisions.values()) > COUNT * 0.15


def test_the_comparison_can_fail():
    """A decision that no rule brings about stays unexplained."""
    case = EXAMPLES["any-address"]["case"]
    wrong = {"decision": "explicit_deny"}
    assert explain(differences([case], [wrong], [{"decision": "allow"}]))[0].rules == ()

"""Finds the differences between both sides, and the rule that explains each."""

import dataclasses
import itertools

from ask import iam_simulate, keystile
from rules import RULES


@dataclasses.dataclass
class Difference:
    case: dict
    ours: str
    theirs: str
    ignored: list
    rules: tuple = ()


def decision(answer):
    return answer.get("decision", "error: " + str(answer.get("error")))


def differences(cases, ours, theirs):
    return [Difference(case, decision(a), decision(b), b.get("ignored", []))
            for case, a, b in zip(cases, ours, theirs, strict=True) if decision(a) != decision(b)]


def rewritten(difference, rules, every=True):
    """The case for keystile and the one for iam-simulate, as these rules have them one after the other,
    and those of the rules that touched it; none where `every` rule must and one does not."""
    for_keystile, for_simulate, touched = difference.case, difference.case, []
    for rule in rules:
        imitated = rule.imitate(for_keystile, difference.ignored)
        spared = rule.spare(for_simulate)
        if imitated is not None or spared is not None or rule.verdict(difference.case) is not None:
            touched.append(rule)
        elif every:
            return None
        for_keystile, for_simulate = imitated or for_keystile, spared or for_simulate
    return (for_keystile, for_simulate, touched) if touched else None


def explain(found):
    """Names the rules that explain each difference: one alone, else two, else all that touch it."""
    for attempts in ([(rule,) for rule in RULES], list(itertools.combinations(RULES, 2)), [RULES]):
        trials = [(difference, trial) for difference in found if not difference.rules for rules in attempts
                  if (trial := rewritten(difference, rules, every=rules is not RULES))]
        if trials:
            judge(trials)
    return found


def judge(trials):
    ours, _ = keystile([for_keystile for _, (for_keystile, _, _) in trials])
    spared = [at for at, (difference, (_, for_simulate, _)) in enumerate(trials) if for_simulate is not difference.case]
    answers = iam_simulate([trials[at][1][1] for at in spared])[0] if spared else []
    theirs = dict(zip(spared, answers, strict=True))
    for at, (difference, (_, _, touched)) in enumerate(trials):
        pair = decision(ours[at]), decision(theirs[at]) if at in theirs else difference.theirs
        if pair[0] == pair[1] or pair in [rule.verdict(difference.case) for rule in touched]:
            difference.rules = difference.rules or tuple(rule.name for rule in touched)

"""The report as JUnit XML, for what runs the drills: one test case for each promise. Pure functions."""

from xml.etree import ElementTree

from . import plan, reconcile


def render(summary):
    """summary -> XML (str)."""
    cases = [(name, [f"message {item['n']} {plan.DIRECTIONS[item['p']]} to {item['to']}: {item['copies']} copies, {item['attempts']} attempts"
                     + (f", in {', '.join(item['strangers'])}" if item["strangers"] else "")
                     for item in summary["notable"] if item["state"] == name], meaning)
             for name, meaning in reconcile.STATES.items() if name in reconcile.BROKEN]
    cases.append(("ledger_whole", [f"message {number} is in a mailbox and not in the ledger" for number in summary["unknown"]], "damaged"))
    cases.append(("something_accepted", [f"no message {plan.DIRECTIONS[p]} was accepted" for p in summary["unproved"]], "nothing is proved"))
    suite = ElementTree.Element("testsuite", name=f"ledger {summary['name']}", tests=str(len(cases)),
                                failures=str(sum(bool(found) for _name, found, _meaning in cases)), time=str(summary["seconds"]))
    for name, found, meaning in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=f"ledger.{summary['name']}", name=name)
        if found:
            failure = ElementTree.SubElement(case, "failure", message=f"{len(found)}: {meaning}")
            failure.text = "\n".join(found)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)

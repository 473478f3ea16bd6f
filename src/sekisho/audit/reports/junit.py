"""JUnit XML, as CI systems read it: a port is a suite, a probe a test.

Flawed and suspect fail; safe passes; what is undecided or does not apply is skipped,
with the reason. A port of which nothing could be asked is an error, because a suite
without tests would read as passed.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sekisho.audit.reports import words
from sekisho.audit.reports.document import Document, Finding, Place, document
from sekisho.audit.reports.text import where
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language

_FAILS = (Verdict.FLAWED, Verdict.SUSPECT)
_SKIPS = (Verdict.UNDECIDED, Verdict.NOT_APPLICABLE)


def junit(report: Report, language: Language) -> str:
    """Write the report as JUnit XML."""
    told = document(report, language)
    root = Element("testsuites", name="sekisho audit", time=f"{told.seconds:.3f}")
    for place in told.places:
        _suite(root, told, place)
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(one.get(total, "0")) for one in root)))
    indent(root)
    body = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(root: Element, told: Document, place: Place) -> None:
    verdicts = [one.verdict for one in place.findings]
    suite = SubElement(
        root,
        "testsuite",
        name=place.name,
        hostname=place.host,
        timestamp=f"{told.started:%Y-%m-%dT%H:%M:%S}",
        time=f"{sum(one.seconds for one in place.findings):.3f}",
        tests=str(len(verdicts) or 1),
        failures=str(sum(one in _FAILS for one in verdicts)),
        errors=str(int(not verdicts)),
        skipped=str(sum(one in _SKIPS for one in verdicts)),
    )
    properties = SubElement(suite, "properties")
    for name, value in (("address", place.address), ("service", place.service)):
        SubElement(properties, "property", name=name, value=value)
    for finding in place.findings:
        _case(suite, told, place, finding)
    if not place.findings:
        case = SubElement(suite, "testcase", classname=place.name, name="connection")
        message = " ".join((told.say(words.NOT_ASKED), *place.notes))
        SubElement(case, "error", type="connection", message=message)


def _case(suite: Element, told: Document, place: Place, finding: Finding) -> None:
    row, verdict = finding.row, finding.verdict
    case = SubElement(
        suite,
        "testcase",
        classname=f"{place.name} {row.group.value}",
        name=f"{row.id} {row.title}",
        time=f"{finding.seconds:.3f}",
    )
    message = f"{told.say(words.VERDICTS[verdict])}: {finding.evidence}"
    if verdict in _SKIPS:
        SubElement(case, "skipped", message=message)
    if verdict in _FAILS:
        failure = SubElement(case, "failure", type=verdict.value, message=message)
        failure.text = "\n".join(
            (
                where(place),
                *finding.notes,
                f"{told.say(words.ADVICE)}: {row.advice}",
                f"{told.say(words.SOUND)}: {row.safe}",
                f"{told.say(words.REFERENCES)}: {', '.join(row.references)}",
            )
        )
        out = SubElement(case, "system-out")
        out.text = "\n".join(
            f"{one.who.value}: {one.text}" for one in finding.transcript
        )

# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Each report as its consumers read it: HTML, CSV, JUnit XML, SARIF; none with a secret, all of a large fleet, too."""

from __future__ import annotations

import csv
import html.parser
import io
import json
from pathlib import Path

import jsonschema
import pytest
from lxml import etree
from sarif_pydantic import Sarif

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.changes import changes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.csv_files import findings_csv, users_csv
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import content, sealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.junit import junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.report_html import report_html
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.reports import FORMATS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.sarif import sarif
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import read_waivers
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import (
    document,
    door,
    event,
    evidence,
    exemption,
    finding,
    fleet,
    sshd_class,
    user,
)

ROOT = Path(__file__).parents[5]
XSD = etree.XMLSchema(etree.parse(str(ROOT / "tests/support/junit.xsd")))
RENDERS = {name: render for files in FORMATS.values() for name, render in files.items()}
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def made(tmp_path):
    """Of three hosts: one with an open and an accepted finding, one with nothing, and one that is away."""
    path = tmp_path / "waivers.yml"
    path.write_text("[{finding: key_weak, host: web1, reason: ticket 7, owner: eve, until: 2027-01-31}]")
    faults = [
        finding("sshd_any_method", "alice: any"),
        finding("key_weak", "/var/lib/fleetmfa/keys/alice: no DISALLOW_REUSE"),
    ]
    hosts = {
        "web1": {"evidence": evidence(findings=faults)},
        "web2": {"evidence": evidence()},
        "db9": {"unreachable": True, "msg": "no route to host"},
    }
    return document(hosts, read_waivers(str(path)))


# HTML


class Page(html.parser.HTMLParser):
    VOID = ("meta", "br", "rect")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.headings, self.text = [], [], [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append((tag, named))
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if "href" in named else []
        self.headings += [int(tag[1])] if tag in ("h1", "h2", "h3", "h4") else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data}" if self.open and self.open[-1] != "style" else ""

    def count(self, tag):
        return sum(name == tag for name, _attributes in self.tags)


def page(made):
    return Page(report_html(made).decode())


def test_the_page_is_whole_accessible_and_self_contained(made):
    found = page(sealed({**made, "changes": changes(made, made)}))
    assert found.headings[0] == 1 and found.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.headings, found.headings[1:]))
    assert len(set(found.ids)) == len(found.ids)
    assert found.links and all(link[0] == "#" and link[1:] in found.ids for link in found.links)
    assert found.count("table") == found.count("caption") > 10
    assert all("scope" in attributes for tag, attributes in found.tags if tag == "th")
    assert found.count("svg") == 3 and all(
        a.get("role") == "img" and a["aria-label"] for t, a in found.tags if t == "svg"
    )
    assert {tag for tag, _attributes in found.tags} & {"script", "img", "link", "iframe", "object"} == set()
    assert not [a for _tag, a in found.tags if any(name.startswith("on") or name in ("src", "style") for name in a)]
    assert dict(found.tags[0][1])["lang"] == "en"


def test_the_page_says_what_there_is(made):
    text = " ".join(page(made).text.split())
    for expected in (
        "Not audited: 1 of 3 hosts",
        "Any single method logs an enforced user in",
        "Accepted until 2027-01-31 by eve: ticket 7",
        "db9 not audited unreachable: no route to host",
        "Weaker than the control: A user whose key is pending is not asked",
        "(secondary source)",
        "(not verified)",
        made["sha256"],
    ):
        assert expected in text, expected
    assert page(made).count("th") > 50


def test_nothing_of_a_host_is_taken_for_html():
    hosts = {
        f"web{EVIL}": {
            "evidence": evidence(
                users=[user(EVIL, "pending", admin=[EVIL])],
                findings=[
                    finding("key_weak", EVIL),
                    {**finding("key_weak"), "id": EVIL, "message": EVIL, "remedy": EVIL},
                ],
                doors=[door(EVIL, "not_covered", EVIL, EVIL)],
                sshd={"classes": [sshd_class([EVIL], verdict=EVIL)]},
                logs={"days": 1, "source": EVIL, "truncated": True, "events": [event(EVIL, EVIL, EVIL)]},
                drift=[{"path": EVIL, "problem": EVIL}],
                system={"distribution": EVIL, "version": EVIL, "kernel": EVIL, "hostname": EVIL},
                clock={"time": None, "synchronized": False, "service": EVIL, "tolerance": None},
            )
        },
        "db9": {"failed": True, "msg": EVIL},
    }
    made = document(hosts)
    assert page(made).count("script") == 0
    assert "<script" not in report_html(made).decode()
    etree.fromstring(junit_xml(made))


def test_a_fleet_without_hosts_or_people():
    for hosts in (
        {},
        {
            "web1": {
                "evidence": evidence(users=[], logs={"days": None, "source": "none", "truncated": False, "events": []})
            }
        },
    ):
        for render in RENDERS.values():
            assert render(document(hosts))


def test_the_matrix_stays_compact():
    small = page(document(fleet(3, 10)))
    assert "State of each user on each host; empty" in small.text
    large = report_html(document(fleet(40, 200))).decode()
    assert "State of each user on each host; empty" not in large and "differs between hosts" in large
    assert len(large) < 600_000


# CSV


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_csv_has_a_row_for_each_user_on_each_host_and_each_finding(made):
    users = rows(users_csv(made))
    assert [(one["host"], one["user"], one["state"], one["admin"]) for one in users] == [
        ("web1", "alice", "enforced", "sudo"),
        ("web2", "alice", "enforced", "sudo"),
    ]
    found = rows(findings_csv(made))
    assert [(one["id"], one["host"], one["owner"]) for one in found] == [
        ("sshd_any_method", "web1", ""),
        ("host_not_reached", "db9", ""),
        ("key_weak", "web1", "eve"),
    ]


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\uff1d1+1", '=HYPERLINK("http://x","y")'])
def test_no_cell_is_a_formula(evil):
    given = evidence(users=[user(evil, admin=[evil])], findings=[finding("key_weak", evil)])
    made = document({evil: {"evidence": given}})
    for data in (users_csv(made), findings_csv(made)):
        cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
        assert any(evil in cell for cell in cells)
        assert not [cell for cell in cells if cell.strip()[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20")]


# JUnit


def cases(made):
    tree = etree.fromstring(junit_xml(made))
    XSD.assertValid(tree)
    return {
        (case.get("classname"), case.get("name")): [child.tag for child in case] for case in tree.iter("testcase")
    }, tree


def test_junit_has_one_case_for_each_check_and_host(made):
    found, tree = cases(made)
    per_host = [name for name, kind in kinds().items() if kind.by == "host"]
    assert {name for host, name in found if host == "web2"} == set(per_host)
    assert {name for host, name in found if host == "db9"} == {"host_not_reached"}
    assert {key: tags for key, tags in found.items() if tags} == {
        ("web1", "sshd_any_method"): ["failure"],
        ("web1", "key_weak"): ["skipped"],
        ("db9", "host_not_reached"): ["error"],
    }
    suite = next(suite for suite in tree if suite.get("name") == "web1")
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "0", "1")
    assert int(suite.get("tests")) == len(per_host)
    assert "any" in tree.find(".//failure").text and "Remedy:" in tree.find(".//failure").text


def test_the_schema_refuses_another_junit(made):
    tree = etree.fromstring(junit_xml(made))
    tree[0].attrib.pop("tests")
    assert not XSD.validate(tree)


# SARIF


def test_sarif_as_code_hosts_read_it(made):
    log = Sarif.model_validate_json(sarif(made))
    run = log.runs[0]
    assert log.version == "2.1.0" and len(log.runs) == 1
    plain = json.loads(sarif(made))["runs"][0]
    rules = [rule["id"] for rule in plain["tool"]["driver"]["rules"]]
    assert len(run.results) == len(made["findings"]) == 3
    for one in plain["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("hosts/")
        assert one["message"]["text"] and one["level"] in ("error", "warning", "note")
    suppressed = [one["ruleId"] for one in plain["results"] if one.get("suppressions")]
    assert suppressed == ["key_weak"]
    prints = [one["partialFingerprints"]["fleetmfaFinding/v1"] for one in plain["results"]]
    assert len(set(prints)) == 3


def test_a_result_is_the_same_in_the_next_audit():
    first, second = (
        json.loads(sarif(document({"web1": {"evidence": evidence(findings=[finding("key_weak", text)])}})))["runs"][0][
            "results"
        ][0]
        for text in ("a", "b")
    )
    assert first["partialFingerprints"] == second["partialFingerprints"] and first["message"] != second["message"]


# All of them


def test_no_report_has_a_secret():
    secret, code, token = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "11112222", "482913"
    uri = f"otpauth://totp/SSH:alice?secret={secret}"
    given = evidence(
        users=[user("alice", admin=[secret])],
        findings=[finding("key_weak", f"alice: {secret}", f"alice: {uri}", code)],
        doors=[door("login", "not_covered", uri), door("x", "not_judged", token)],
        sshd={"error": f"line 3: {secret}"},
        drift=[{"path": f"/x/{secret}", "problem": uri}],
        logs={
            "days": 30,
            "source": "file",
            "truncated": False,
            "events": [event("refused", one) for one in (secret, code, token)],
        },
    )
    made = document({"web1": {"evidence": given}, "db9": {"failed": True, "msg": f"bad key {secret} {uri}"}})
    for name, render in {"audit.json": content, **RENDERS}.items():
        text = render(made).decode()
        for planted in (secret, secret.lower(), uri, code, token):
            assert planted not in text, f"{name}: {planted}"


def test_reports_are_made_of_the_file_alone():
    made = document(fleet(5, 20, away=1))
    again = json.loads(content(made))
    for name, render in RENDERS.items():
        assert render(again) == render(made), name


ODD = [None, True, -1, 1.5, float("nan"), float("inf"), "odd", [], {}, [[]], [{}], [None], {"odd": [float("nan")]}]


def with_odd_values(given, place=()):
    """The same with one odd value, at each place."""
    names = given if isinstance(given, dict) else range(len(given)) if isinstance(given, list) else ()
    for name in names:
        changed = given.copy()
        for odd in ODD:
            changed[name] = odd
            yield changed.copy()
        for inner in with_odd_values(given[name], (*place, name)):
            changed[name] = inner
            yield changed.copy()


def test_no_host_can_keep_the_others_out_of_the_report():
    """Whoever is root on a host can return anything: it is refused with the host's name, or every report can be made of it."""
    given = evidence(
        drift=[{"path": "/x", "problem": "y"}],
        sshd={"classes": [sshd_class(["alice"], verdict="can_bypass")], "baseline": {}, "version": [9, 2]},
        findings=[finding("key_weak", "alice: x"), finding("key_weak", "alice: y")],
        logs={
            "days": 1,
            "source": "file",
            "truncated": False,
            "events": [event("refused", "x"), event("refused", "x")],
        },
    )
    deep: list = []
    for _level in range(500):
        deep = [deep]
    hosts = {f"web{number}": {"evidence": odd} for number, odd in enumerate(with_odd_values(given))}
    hosts["deep"] = {"evidence": {**given, "more": deep}}
    made = document(hosts)
    assert len(hosts) > 1000 and len(made["not_reached"]) > 500 and len(made["hosts"]) > 100
    for name, render in {"audit.json": content, **RENDERS}.items():
        assert render(made), name
    schema = json.loads((ROOT / "docs/audit.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(content(made)))


def test_exemptions_are_shown_once_with_reason_approver_and_last_day():
    ended = exemption("bob", "2026-05-31", reason=EVIL, approved_by=None, ended=True, kept=["bob"])
    hosts = {name: {"evidence": evidence(exemptions=[exemption("deploy"), ended])} for name in ("web1", "web2")}
    page = report_html(document(hosts)).decode()
    table = page.split('id="exemptions"')[1].split("</table>")[0]
    rows = [row.split("<td>")[0] for row in table.split("<tr>")[2:]]
    assert [row.split("</th>")[0] for row in rows] == ['<th scope="row">user bob', '<th scope="row">user deploy']
    assert "2026-05-31 (ended); still exempt: bob" in table and "nobody named" in table and "web[1:2]" in table
    assert "automation" in table and "ciso" in table and EVIL not in page
    nobody = report_html(document({"web1": {"evidence": evidence(exemptions=[])}})).decode()
    assert "Nobody is exempt." in nobody

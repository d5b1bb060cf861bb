"""What lies in `ops/` fits the program: metrics that there are, verbs that there are, containers without rights."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from keyturn.bootstrap.observing.metrics import TABLES
from keyturn.bootstrap.runtimes import STOPS_WITHIN_S
from keyturn.bootstrap.settings import Settings
from keyturn.cli.verbs import NOUNS, VERBS
from keyturn.core.renewal.isolation import TRIED_AGAIN_AFTER_S
from keyturn.web.kit.metric import Kind
from tests.end_to_end.running import CHECKOUT

OPS = CHECKOUT / "ops"
ENDINGS = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
LABELS = {
    f"{metric.name}{ending}": {label for label, _ in metric.labels} | ({"le"} if ending == "_bucket" else set())
    for metric in TABLES
    for ending in ENDINGS[metric.kind]
}
STATES = {"active", "uncertain", "needs_reconnect", "disconnecting", "disconnected", "paused", "unconfirmed"}
CLOSES_WITHIN_S = 5.0  # what a stop takes beyond the time that the code allows it: the last writes, the process's end
GRACES = [
    pytest.param("ops/systemd/keyturn.service", r"(?m)^TimeoutStopSec=(\d+)$", id="unit"),
    pytest.param("ops/container/compose.yaml", r"stop_grace_period: (\d+)s", id="compose"),
    pytest.param("docs/how-to/in-a-container.md", r"terminationGracePeriodSeconds: (\d+)", id="kubernetes"),
    pytest.param("docs/how-to/in-a-container.md", r"(?:--stop-timeout|stop -t) (\d+)", id="by hand"),
]
SAY_HOW_LONG = [
    "ops/systemd/keyturn.service",
    "ops/container/compose.yaml",
    "docs/how-to/in-a-container.md",
    "docs/how-to/run-it.md",
    "docs/explanation/renewal.md",
    "src/keyturn/cli/commands/serve.py",
]
SENTENCE = r"(?:exits within|ends within|end it, within|stop takes up to) (\d+) s"
ANALYZE = shutil.which("systemd-analyze")


def parsed(path: Path) -> Any:
    """A YAML file."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in parsed(OPS / "prometheus/keyturn.rules.yaml")["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    """Every query of the dashboard, the choice of connectors among them."""
    board = json.loads((OPS / "grafana/keyturn.json").read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    yield from (each["query"] for each in board["templating"]["list"] if each["type"] == "query")


EXPRESSIONS = [*(each["expr"] for each in rules()), *dashboard_expressions()]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_every_metric_and_label_exists(expression: str) -> None:
    """As the table of metrics has it, with the endings of its kind."""
    names = re.findall(r"\bkeyturn_\w+", expression)
    used = re.findall(r"\b(keyturn_\w+)\{([^}]*)\}", expression)
    wrong = [
        (name, label)
        for name, matchers in used
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers))
        if label not in LABELS.get(name, set())
    ]
    grouped = {each.strip() for words in re.findall(r"\bby \(([^)]*)\)", expression) for each in words.split(",")}
    known = {label for name in names for label in LABELS.get(name, set())}

    assert [] == [name for name in names if name not in LABELS]
    assert [] == wrong
    assert grouped <= known


def test_every_alert_says_what_to_do() -> None:
    """A name, how bad it is, a summary and the first steps; no name twice."""
    names = [each["alert"] for each in rules()]
    lacking = [
        each["alert"]
        for each in rules()
        if each["labels"]["severity"] not in ("page", "ticket")
        or not all(each["annotations"].get(part) for part in ("summary", "runbook"))
    ]

    assert ([], len(names)) == (lacking, len(set(names)))


def test_an_alert_for_a_host_that_is_away_bridges_its_trials() -> None:
    """The gauge is gone while one connection tries, every few seconds: the look back is longer, and ends in time."""
    (rule,) = (each for each in rules() if "keyturn_provider_closed" in each["expr"])
    looks_back = re.search(r"max_over_time\(keyturn_provider_closed\{why=~\"down\|hangs\"\}\[(\d+)m\]\)", rule["expr"])

    assert looks_back is not None
    assert 60 * int(looks_back[1]) > 4 * TRIED_AGAIN_AFTER_S
    assert int(looks_back[1]) < int(rule["for"].removesuffix("m"))


def test_every_alert_is_on_the_page() -> None:
    """With its name as a heading."""
    page = (CHECKOUT / "docs/how-to/alerts.md").read_text(encoding="utf-8")

    assert [] == [each["alert"] for each in rules() if f"### {each['alert']}\n" not in page]


def test_verbs_in_runbooks_exist() -> None:
    """Somebody will type them at night."""
    texts = [text for each in rules() for text in each["annotations"].values()]
    texts += [(OPS / name).read_text() for name in ("systemd/keyturn.service", "container/compose.yaml")]
    typed = {
        found for text in texts for found in re.findall(r"`keyturn ([a-z-]+(?: [a-z-]+)?)", " ".join(text.split()))
    }
    wanted = {each if each.split()[0] in NOUNS else each.split()[0] for each in typed}

    assert wanted
    assert set() == wanted - set(VERBS)


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    """Panels don't lie on each other, and each says what it answers."""
    panels = json.loads((OPS / "grafana/keyturn.json").read_text())["panels"]
    cells = [
        (x, y)
        for each in panels
        for x in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for y in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert [] == [each["title"] for each in panels if not each["description"]]


def test_the_container_has_no_rights() -> None:
    """Not root, nothing to write to but data and /tmp, nothing gained, no port to the outside."""
    service = parsed(OPS / "container/compose.yaml")["services"]["keyturn"]

    assert "10001:10001" == service["user"]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert ("ports" in service, "privileged" in service) == (False, False)
    assert all("noexec" in each for each in service["tmpfs"])


@pytest.mark.parametrize(("name", "given"), GRACES)
def test_a_stop_is_given_its_time(name: str, given: str) -> None:
    """Whoever would kill it waits for longer than it takes, with room for closing the database."""
    found = re.findall(given, (CHECKOUT / name).read_text(encoding="utf-8"))

    assert found
    assert [] == [each for each in found if int(each) < STOPS_WITHIN_S + CLOSES_WITHIN_S]


@pytest.mark.parametrize("name", SAY_HOW_LONG)
def test_how_long_a_stop_takes_is_told(name: str) -> None:
    """No less than the code allows itself, and not much more."""
    found = re.findall(SENTENCE, (CHECKOUT / name).read_text(encoding="utf-8"))

    assert found
    assert [] == [each for each in found if not STOPS_WITHIN_S < int(each) <= STOPS_WITHIN_S + CLOSES_WITHIN_S]


def test_settings_of_the_container_exist() -> None:
    """Each KEYTURN_ name is one of the settings, in compose file, image and units."""
    known = {f"KEYTURN_{name.upper()}{ending}" for name in Settings.model_fields for ending in ("", "_FILE")}
    files = [*OPS.glob("container/*"), *OPS.glob("systemd/*"), *OPS.glob("nginx/*"), *OPS.glob("caddy/*")]
    used = {name for path in files for name in re.findall(r"KEYTURN_[A-Z_]+", path.read_text())}

    assert set() == used - known


def test_the_image_is_made_of_what_is_locked() -> None:
    """Hash-checked dependencies, a user without rights, no secret in an instruction, a health check."""
    lines = (OPS / "container/Containerfile").read_text().replace("\\\n", " ").splitlines()
    words = {each.split()[0] for each in lines if each and not each.startswith(("#", " "))}
    copied = [each.split()[1] for each in lines if each.startswith("COPY ") and "--from" not in each]

    assert {"FROM", "USER", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"} <= words
    assert "USER 10001:10001" in lines
    assert any("--require-hashes" in each for each in lines)
    assert [] == [each for each in copied if not (CHECKOUT / each).exists()]
    assert [] == [each for each in lines if re.search(r"(?i)(ARG|ENV) .*(key|secret|password)=", each)]


def test_nothing_of_the_builders_machine_is_in_the_image() -> None:
    """Only what the wheel is made of is copied: no checkout, key or data; both stages have one tagged base."""
    lines = (OPS / "container/Containerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [word for each in lines if each.startswith("COPY ") for word in each.split()[1:-1]]
    bases = {each.split()[1] for each in lines if each.startswith("FROM ")}

    assert [] == [each for each in copied if each in (".", "./") or each.endswith((".key", ".env", ".db"))]
    assert not any(each.startswith("ADD ") for each in lines)
    assert 1 == len(bases)
    assert re.fullmatch(r"[a-z./-]+:\d[\w.-]+", bases.pop())


def test_commands_of_the_containers_page_name_files_and_verbs_that_there_are() -> None:
    """As the page, the Containerfile and the compose file have them."""
    page = (CHECKOUT / "docs/how-to/in-a-container.md").read_text(encoding="utf-8")
    texts = [page, *((OPS / "container" / name).read_text() for name in ("Containerfile", "compose.yaml"))]
    files = {found for text in texts for found in re.findall(r"(?:-f|dockerfile:) (ops/\S+?)[`\s]", text)}

    assert files
    assert [] == sorted(each for each in files if not (CHECKOUT / each).exists())


@pytest.mark.parametrize("name", ["keyturn.service", "keyturn-backup.service", "keyturn-backup.timer"])
def test_units_are_sound(name: str, tmp_path: Path) -> None:
    """As systemd reads them, where it is installed; only the program's path is another."""
    for path in (OPS / "systemd").iterdir():
        text = path.read_text().replace("/opt/keyturn/bin/keyturn", shutil.which("true") or "/bin/true")
        (tmp_path / path.name).write_text(re.sub(r"(?m)^(User|Group)=keyturn$", r"\1=nobody", text))
    for analyze in filter(None, [ANALYZE]):
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        said = [line for line in done.stderr.splitlines() if name in line and "nobody" not in line]

        assert [] == said


def test_the_service_can_do_little_harm() -> None:
    """`systemd-analyze security` counts exposure from 0 to 10; under 2 it calls a service `OK`."""
    unit = str(OPS / "systemd/keyturn.service")
    for analyze in filter(None, [ANALYZE]):
        done = subprocess.run(
            [analyze, "security", "--offline=true", "--no-pager", "--threshold=20", unit],
            capture_output=True,
            text=True,
            check=False,
        )

        assert 0 == done.returncode, done.stdout.splitlines()[-1:] + done.stderr.splitlines()

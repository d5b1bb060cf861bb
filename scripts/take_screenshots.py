"""Take the pictures of the pages that README and documents show, from a seeded instance, into docs/pictures.

    python scripts/take_screenshots.py [FOLDER]

Needs what `make test-browser` brings in.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page

from tests.browser.browsing import House, chromium
from tests.end_to_end.running import Server, example_connector, free_port, install_connector, running_provider

ROOT = Path(__file__).resolve().parent.parent
SIZE = {"width": 1180, "height": 760}
PHONE = {"width": 390, "height": 760}
HELP = {"KEYTURN_BRAND_HELP_URL": "https://ledgerly.example/help"}


def main(folder: Path) -> None:
    """Seed, start, and take one picture after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    where = Path(tempfile.mkdtemp(prefix="keyturn-pictures-"))
    subprocess.run([sys.executable, ROOT / "scripts" / "seed_console.py", where / "data", "400"], check=True)
    port = free_port()
    public = {"KEYTURN_PUBLIC_URL": f"http://127.0.0.1:{port}", "KEYTURN_OPERATOR_NAME": "Ledgerly GmbH"} | HELP
    server = Server(where / "data", where / "log", env=public, port=port)
    with running_provider() as provider, chromium() as browser:
        server.start()
        try:
            house = House(server, provider, install_connector(server, example_connector(provider.port)))
            page = browser.new_page(viewport=SIZE)
            page.goto(house.sign_in_link())
            page.get_by_role("button", name="Sign in").click()
            of_the_console(page, house, folder)
            person = browser.new_page(viewport=PHONE)
            person.goto(house.link("user-42", connector="acme", owner_label="Northwind Ltd"))
            person.get_by_role("button").first.click()
            person.screenshot(path=folder / "connect-page.png", full_page=True)
        finally:
            server.stop()


def of_the_console(page: Page, house: House, folder: Path) -> None:
    """Overview, builder, list, one connection."""
    made = house.server.ask(
        "POST",
        "/v1/connections",
        {"connector": house.connector, "owner": "user-42", "username": "demo", "password": "correct-horse-7"},
    ).json()
    house.server.ask("POST", f"/v1/connections/{made['id']}/renew")
    shown = one_with_a_history(house)
    for name, path in {
        "overview": "/?range=7d",
        "builder": "/connectors/acme/edit/2",
        "connections": "/connections",
        "connection": f"/connections/{shown}/timeline",
    }.items():
        page.goto(house.origin + path)
        page.screenshot(path=folder / f"{name}.png")


def one_with_a_history(house: House) -> str:
    """The id of a seeded connection that has much to show: renewals, and calls of which some failed."""
    found = house.server.ask("GET", "/v1/connections?connector=zeta&state=active&calls=true&limit=200").json()["data"]
    failed = {each["id"]: sum(hour["failed"] for hour in each["calls"]) for each in found}
    events = {name: house.server.ask("GET", f"/v1/connections/{name}/events").json()["data"] for name in failed}
    return str(max(failed, key=lambda name: min(len(events[name]), 4) * failed[name]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")

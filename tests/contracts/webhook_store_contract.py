"""What every WebhookStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.secret import Secret
from keyturn.ports.jobs import Job
from keyturn.ports.store import RevisionConflict
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState, Endpoint, EndpointChange, EndpointSecrets
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

ENDPOINT = Endpoint(
    "whk_1", "https://app.example/hook", NOW, ("connection.*",), "the app", created_by="key:key_1",
)  # fmt: skip
SECRETS = EndpointSecrets(Secret("whsec_current"), Secret("whsec_old"))
DELIVERY = Delivery("dlv_1", "whk_1", "evt_1", "connection.created", NOW)
TRIED = replace(DELIVERY, tries=1, tried_at=NOW + 5, status=500, took_s=0.25, code="webhook_refused")


class WebhookStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_endpoints_are_found(self, stores: AllStores) -> None:
        """By id within their project, and in a list, oldest first, of one project or of all."""
        other = replace(ENDPOINT, id="whk_2", project="other", created_at=NOW - 1)
        await stores.webhooks.add(ENDPOINT, SECRETS, records=[record("webhook.created")])
        await stores.webhooks.add(other, SECRETS)
        logged, _ = await stores.audit.list()

        assert ENDPOINT == await stores.webhooks.load("whk_1")
        assert await stores.webhooks.load("whk_1", project="other") is None
        assert (ENDPOINT,) == tuple(await stores.webhooks.list())
        assert (other, ENDPOINT) == tuple(await stores.webhooks.list(project=None))
        assert ["webhook.created"] == [each.action for _, each in logged]

    async def test_secrets_come_out_as_they_went_in(self, stores: AllStores) -> None:
        """Those of the newest generation; a write that names none leaves them."""
        await stores.webhooks.add(ENDPOINT, EndpointSecrets(Secret("whsec_first")))
        first = await stores.webhooks.secrets(ENDPOINT)
        rolled = await stores.webhooks.save(EndpointChange(replace(ENDPOINT, generation=2), SECRETS))
        await stores.webhooks.save(EndpointChange(replace(rolled, description="another")))

        assert EndpointSecrets(Secret("whsec_first")) == first
        assert SECRETS == await stores.webhooks.secrets(rolled)
        assert await stores.webhooks.secrets(replace(ENDPOINT, id="whk_none")) is None

    async def test_a_save_is_compared_and_set(self, stores: AllStores) -> None:
        """Of two writes over one revision the second changes nothing."""
        await stores.webhooks.add(ENDPOINT, SECRETS)
        saved = await stores.webhooks.save(EndpointChange(replace(ENDPOINT, events=())))

        with pytest.raises(RevisionConflict):
            await stores.webhooks.save(EndpointChange(replace(ENDPOINT, url="https://other.example/")))
        assert replace(ENDPOINT, events=(), revision=1) == saved == await stores.webhooks.load("whk_1")

    async def test_one_is_disabled_once(self, stores: AllStores) -> None:
        """Whatever its revision is; the second who wants it changes and records nothing."""
        await stores.webhooks.add(ENDPOINT, SECRETS)
        await stores.webhooks.save(EndpointChange(replace(ENDPOINT, description="changed meanwhile")))
        said = [record("webhook.disabled")]

        assert await stores.webhooks.disable(ENDPOINT, "webhook_gone", records=said)
        assert not await stores.webhooks.disable(ENDPOINT, "webhook_failing", records=said)
        now = await stores.webhooks.load("whk_1")
        logged, _ = await stores.audit.list()
        assert now is not None
        assert (False, "webhook_gone", "changed meanwhile") == (now.enabled, now.disabled_code, now.description)
        assert ["webhook.disabled"] == [each.action for _, each in logged]

    async def test_one_is_removed_with_its_deliveries(self, stores: AllStores) -> None:
        """Once; another project's is left alone."""
        await stores.webhooks.add(ENDPOINT, SECRETS)
        await stores.webhooks.add_delivery(DELIVERY)

        assert not await stores.webhooks.remove("whk_1", project="other")
        assert await stores.webhooks.remove("whk_1")
        assert not await stores.webhooks.remove("whk_1")
        assert await stores.webhooks.delivery("dlv_1") is None

    async def test_a_delivery_is_added_with_its_job(self, stores: AllStores) -> None:
        """One that is there already stays as it is."""
        job = Job("job_1", "webhook.deliver", NOW, NOW, {"delivery": "dlv_1"})
        await stores.webhooks.add_delivery(DELIVERY, job=job)

        assert DELIVERY == await stores.webhooks.delivery("dlv_1")
        assert await stores.webhooks.delivery("dlv_1", project="other") is None
        assert job == await stores.jobs.load("job_1")

    async def test_deliveries_are_listed_by_pages(self, stores: AllStores) -> None:
        """Newest first, those of one endpoint alone."""
        rows = [replace(DELIVERY, id=f"dlv_{n}", created_at=NOW + n) for n in range(3)]
        for each in [*rows, replace(DELIVERY, id="dlv_x", endpoint="whk_2")]:
            await stores.webhooks.add_delivery(each)
        first, cursor = await stores.webhooks.deliveries("whk_1", limit=2)
        second, end = await stores.webhooks.deliveries("whk_1", limit=2, cursor=cursor)

        assert (rows[2], rows[1]) == tuple(first)
        assert ((rows[0],), None) == (tuple(second), end)

    async def test_a_failure_begins_what_a_success_ends(self, stores: AllStores) -> None:
        """The first failure's time stays through further ones; a dropped delivery says nothing of the endpoint."""
        await stores.webhooks.add(ENDPOINT, SECRETS)
        await stores.webhooks.add_delivery(DELIVERY)
        since = [
            await stores.webhooks.note(TRIED),
            await stores.webhooks.note(replace(TRIED, tries=2, tried_at=NOW + 10)),
            await stores.webhooks.note(replace(TRIED, state=DeliveryState.DROPPED)),
        ]
        failing = await stores.webhooks.load("whk_1")
        delivered = replace(TRIED, tries=3, tried_at=NOW + 20, state=DeliveryState.DELIVERED, status=204, code=None)
        since.append(await stores.webhooks.note(delivered))

        assert [NOW + 5, NOW + 5, None, None] == since
        assert failing is not None
        assert NOW + 5 == failing.failing_since
        assert ENDPOINT == await stores.webhooks.load("whk_1")
        assert delivered == await stores.webhooks.delivery("dlv_1")

    async def test_old_deliveries_are_purged(self, stores: AllStores) -> None:
        """Those that were made earlier."""
        await stores.webhooks.add_delivery(DELIVERY)
        await stores.webhooks.add_delivery(replace(DELIVERY, id="dlv_2", created_at=NOW + 10))

        assert 1 == await stores.webhooks.purge(created_before=NOW + 10)
        assert await stores.webhooks.delivery("dlv_1") is None
        assert await stores.webhooks.delivery("dlv_2") is not None

"""What templates make of the last trial's answer, and who has that id already."""

from __future__ import annotations

from keyturn.core.building.near_paths import paths_of
from keyturn.core.templates import Template
from keyturn.engine.builder.last_answer import ID_STEP, NAME_STEP, Outcome, outcome_of, values_of
from keyturn.engine.builder.trial_trace import TrialRun
from tests.engine.builder.texts import parsed
from tests.engine.story import log_in, publish
from tests.fakes.application import FakeWorld, make_world

REGION = 'fields: [{key: region, label: Region}]\nconnection_name: "{{ test.name }} in {{ region }}"'


def run_with(answer: object, *paths: str) -> TrialRun:
    """A trial that got this answer."""
    return TrialRun("trl_1", "acme", "", "person:author", 0.0, test_answer=answer, test_answer_paths=paths)


async def outcome(world: FakeWorld, step: int, answer: object, **parts: str) -> Outcome:
    """What a step's template makes of it."""
    return await outcome_of(parsed(**parts), run_with(answer), step, world.application.connections)


async def test_a_name_is_made_of_the_answer() -> None:
    """What the trial did not keep stands as its name; a path that is not there is said, with the nearest."""
    world = make_world()
    made = await outcome(world, NAME_STEP, {"name": "Jo", "id": "42"}, more=REGION)
    absent = await outcome(world, NAME_STEP, {"name": "Jo"}, more='connection_name: "{{ test.user.name }}"')

    assert Outcome("Jo in ‹region›", ()) == made
    assert "" == absent.text
    assert ("test.user.name is not in the last trial's answer. Did you mean test.name?",) == absent.notes


async def test_an_id_is_counted() -> None:
    """Connections that have it, those that ended aside; one that is masked or not known in full is not looked for."""
    world = make_world()
    await publish(world)
    await log_in(world, account="42")

    assert 1 == (await outcome(world, ID_STEP, {"id": "42"})).same
    assert 0 == (await outcome(world, ID_STEP, {"id": "43"})).same
    assert "42" == (await outcome(world, ID_STEP, {"id": " 42 "}, id="{{ test.id | trim }}")).text
    masked = await outcome(world, ID_STEP, {"id": "***"})
    assert (None, True) == (masked.same, "masked" in masked.notes[0])


async def test_an_empty_id_is_said() -> None:
    """It would refuse every connection."""
    empty = await outcome(make_world(), ID_STEP, {"id": " "})
    absent = await outcome(make_world(), ID_STEP, {"uid": "7"})

    assert ("", ("The unique id comes out empty.",), None) == (empty.text, empty.notes, empty.same)
    assert ("test.id is not in the last trial's answer. Did you mean test.uid?",) == absent.notes


def test_values_are_listed_by_the_names_of_templates() -> None:
    """Texts and numbers, a secret by what masks it."""
    run = run_with({"id": 42, "user": {"name": "Jo"}, "token": "***"}, "id", "user.name", "token", "gone")

    assert (("test.id", "42"), ("test.user.name", "Jo"), ("test.token", "***")) == values_of(run)


def test_every_name_that_is_listed_can_be_inserted() -> None:
    """A hyphen and a list are named as templates name them; what no template can name is not listed."""
    for answer in ({"user-id": "7", "a b": "8", 'q"\\': "9", "x": {"y-z": "1"}}, [{"id": "7"}]):
        run = run_with(answer, *paths_of(answer))
        listed = dict(values_of(run))
        assert {"test.user-id", "test.x.y-z"} == listed.keys() or {"test[0].id"} == listed.keys()
        for name, value in listed.items():
            assert value == Template.parse(f"{{{{ {name} }}}}").render({"test": answer})


async def test_a_near_name_is_one_that_a_template_takes() -> None:
    """As it would have to be written there."""
    outcome_ = await outcome(make_world(), ID_STEP, {"user-id": "7"}, id="{{ test.user_id }}")

    assert ("test.user_id is not in the last trial's answer. Did you mean test.user-id?",) == outcome_.notes

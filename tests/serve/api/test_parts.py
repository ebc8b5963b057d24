from dataclasses import fields

from serve.api.parts import Parts, make_parts
from serve.settings import Settings


def test_the_model_is_loaded_at_the_start(shelf):
    pointer = shelf.promote("loans")
    assert make_parts(Settings(store=shelf.store.path, poll_seconds=3600)).live_model.current.pointer == pointer


def test_the_alias_names_the_pointer(shelf):
    shelf.promote("loans")
    settings = Settings(store=shelf.store.path, poll_seconds=3600, model_alias="challenger")
    assert make_parts(settings).live_model.current is None


def test_a_start_without_a_store_makes_no_file(tmp_path):
    assert make_parts(Settings(store=tmp_path / "nowhere", poll_seconds=3600)).live_model.current is None
    assert list(tmp_path.iterdir()) == []


def test_what_no_setting_asks_for_is_none(tmp_path):
    parts = make_parts(Settings(store=tmp_path, poll_seconds=3600))
    assert {name for name, part in vars(parts).items() if part is None} == {
        *("keys", "prediction_log", "shadow", "tracer")
    }


def test_routes_find_each_part_under_its_name(shelf, make_app):
    shelf.promote("loans")
    assert {field.name for field in fields(Parts)} <= make_app().extensions.keys()

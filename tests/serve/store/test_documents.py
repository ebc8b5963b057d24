import json

import pytest

from serve.errors import StoreError
from serve.store.documents import LARGEST_METADATA, dump_metadata, read_metadata

SHA256 = "a" * 64


def test_metadata_is_read_as_it_was_written(tmp_path):
    metadata = {"sha256": SHA256, "metrics": {"auc": 0.8}, "name": "é"}
    (tmp_path / "file.json").write_bytes(dump_metadata(metadata, SHA256))
    assert read_metadata(tmp_path / "file.json", SHA256) == metadata


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"sha256": "b" * 64}, "the metadata is of another file"),
        ({"sha256": None}, "the metadata is of another file"),
        ({"auc": float("nan")}, "not JSON"),
        ({"text": "\ud800"}, "not JSON"),
        ({"text": "x" * LARGEST_METADATA}, "at most"),
    ],
)
def test_metadata_that_could_not_be_read_again_is_not_written(metadata, reason, tmp_path):
    with pytest.raises(StoreError, match=reason):
        dump_metadata(metadata, SHA256)
    path = tmp_path / f"{SHA256}.json"
    path.write_text(json.dumps(metadata))
    with pytest.raises(StoreError):
        read_metadata(path, SHA256)

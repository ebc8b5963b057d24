"""`python -m serve.bake FROM TO`: the model that a store points at, verified, into another store: for an image build.

Only that file goes along, with its metadata and signature: no older model, no lock, no cache.
"""

import sys
from pathlib import Path

from serve.errors import ServeError, StoreError
from serve.store.pointer import Pointer
from serve.store.store import Store


def bake(source: Path, target: Path, alias: str = "production") -> Pointer | None:
    """Install what one store's alias points at into another, and point at it; return the pointer.

    None where the source is empty: an image without a model gets it from a volume or a registry. Raises StoreError,
    ModelFileError, SignatureError.
    """
    store = Store(source, alias)
    pointer = store.pointer()
    if pointer is None:
        if any(source.iterdir()):
            raise StoreError(f"{source}: files but no {alias}.json, expected the folder of a store")
        return None
    _, metadata = store.load(pointer)
    data = store.file(pointer.sha256)
    if data is None:
        raise StoreError(f"{source}: {pointer.sha256}.onnx changed meanwhile")
    Store(target, alias).install(data, metadata, store.signature(pointer.sha256))
    Store(target, alias).point(pointer)
    return pointer


def main() -> None:
    """Bake, say what was baked, exit 1 with the reason when it is refused."""
    try:
        pointer = bake(Path(sys.argv[1]), Path(sys.argv[2]))
    except ServeError as err:
        sys.exit(f"bake: {err}")
    print(f"baked {pointer.name} version {pointer.version}, {pointer.sha256}" if pointer else "baked no model")


if __name__ == "__main__":
    main()

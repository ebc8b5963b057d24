"""`python -m serve.bake FROM TO`: copy the production model of a store into another store, for an image build.

Only the file, its metadata, its signature and the pointer are copied: no older model, no lock, no cache.
"""

import sys
from pathlib import Path

from serve.errors import ServeError, StoreError
from serve.store.pointer import Pointer
from serve.store.store import Store


def bake(source: Path, target: Path) -> Pointer | None:
    """Install the verified model that one store points at into another; return its pointer.

    None where the source is empty: an image without a model gets it from a volume or a registry. Raises StoreError,
    ModelFileError, SignatureError.
    """
    store = Store(source)
    pointer = store.pointer()
    if pointer is None:
        if any(source.iterdir()):
            raise StoreError(f"{source}: files but no {store.pointer_path.name}, expected the folder of a store")
        return None
    _, metadata = store.load(pointer)
    data = store.file(pointer.sha256)
    if data is None:
        raise StoreError(f"{source}: {pointer.sha256}.onnx changed meanwhile")
    baked = Store(target)
    baked.install(data, metadata, store.signature(pointer.sha256))
    baked.point(pointer)
    return pointer


def main() -> None:
    """Bake and print what was baked; exit 1 with the reason when it is refused."""
    try:
        pointer = bake(Path(sys.argv[1]), Path(sys.argv[2]))
    except ServeError as err:
        sys.exit(f"bake: {err}")
    print(f"baked {pointer.name} version {pointer.version}, {pointer.sha256}" if pointer else "baked no model")


if __name__ == "__main__":
    main()

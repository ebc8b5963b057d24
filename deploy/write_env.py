"""Write deploy/.env with fresh secrets, once: `docker compose` reads it."""

import os
import secrets
from pathlib import Path

path = Path(__file__).with_name(".env")
if not path.exists():
    text = "".join(f"{name}={secrets.token_hex(24)}\n" for name in ("POSTGRES_PASSWORD", "S3_SECRET"))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)

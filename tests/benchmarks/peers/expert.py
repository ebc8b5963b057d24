"""FastAPI by an expert: the raw body into a checked struct, onnxruntime, a ready response."""

from typing import Annotated

import msgspec
from bare_scoring import decide
from fastapi import FastAPI, Request, Response
from msgspec import Meta

app = FastAPI()


class Application(msgspec.Struct):
    Age: Annotated[int, Meta(ge=18, le=100)] | None
    Annual_Income: Annotated[float, Meta(ge=0, le=5_000_000)] | None
    Credit_Score: Annotated[int, Meta(ge=300, le=850)] | None
    Loan_Amount: Annotated[float, Meta(ge=500, le=1_000_000)]
    Loan_Duration_Years: Annotated[int, Meta(ge=1, le=30)]
    Number_of_Open_Accounts: Annotated[int, Meta(ge=0, le=50)] | None
    Had_Past_Default: Annotated[int, Meta(ge=0, le=1)] | None


decode = msgspec.json.Decoder(Application).decode


@app.post("/api/v2/predict")
async def predict(request: Request) -> Response:
    try:
        application = decode(await request.body())
    except msgspec.ValidationError as err:
        return Response(msgspec.json.encode({"error": str(err)}), 422, media_type="application/json")
    return Response(decide(msgspec.structs.astuple(application)), media_type="application/json")

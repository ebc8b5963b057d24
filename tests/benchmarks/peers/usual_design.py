"""The usual design, as most tutorials write it: FastAPI, pydantic, a scikit-learn pipeline and a one-row DataFrame.

The pipeline is imputer, scaler and model, with a calibrator behind them or without, as `MODEL` says.
"""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field

model = joblib.load(os.environ["MODEL"])
threshold = float(os.environ["THRESHOLD"])
app = FastAPI()


class Application(BaseModel):
    Age: int = Field(ge=18, le=100)
    Annual_Income: float = Field(ge=0, le=5_000_000)
    Credit_Score: int = Field(ge=300, le=850)
    Loan_Amount: float = Field(ge=500, le=1_000_000)
    Loan_Duration_Years: int = Field(ge=1, le=30)
    Number_of_Open_Accounts: int = Field(ge=0, le=50)
    Had_Past_Default: int = Field(ge=0, le=1)


class Prediction(BaseModel):
    prediction: str
    prediction_code: int


@app.post("/api/v2/predict")
def predict(application: Application) -> Prediction:
    data = pd.DataFrame([application.model_dump()])
    code = int(model.predict_proba(data)[0, 1] >= threshold)
    return Prediction(prediction="Approved" if code else "Não Aprovado", prediction_code=code)

"""The built-in data set `loans`: simulated applicants and decisions with a known signal; no real person's data.

A decision is drawn with probability `approval_probability`, so no model can rank better than that probability does.
Age never lowers it, all else equal (Regulation B, 12 CFR 1002.6(b)(2)).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from serve.files import write_atomically

ROWS = 20_000
SEED = 20_260_101
# Share of cells that are missing at random.
MISSING = {"Age": 0.01, "Annual_Income": 0.04, "Credit_Score": 0.03}
MISSING |= {"Number_of_Open_Accounts": 0.05, "Had_Past_Default": 0.02}
_ANNUAL_RATE = 0.07
_DURATION_SHARES = [0.06, 0.10, 0.14, 0.10, 0.18, 0.12, 0.14, 0.06, 0.05, 0.02, 0.03]


def make_applicants(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return `rows` complete applicants; money in currency units, times in years."""
    age = np.clip(np.round(rng.normal(44, 14, rows)), 18, 92)
    earning_years = np.minimum(age, 60) - 18
    income = np.clip(rng.lognormal(10.5 + 0.012 * earning_years, 0.5, rows), 6_000, 1_500_000)
    score = np.clip(np.round(rng.normal(650 + 0.7 * (age - 44), 80, rows)), 300, 850)
    amount = np.clip(income * rng.lognormal(-0.6, 0.7, rows), 1_000, 800_000)
    duration = rng.choice([1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 30], rows, p=_DURATION_SHARES)
    accounts = np.clip(rng.poisson(2 + 0.08 * earning_years, rows), 0, 30)
    default = rng.random(rows) < expit(-(score - 520) / 60)
    columns = {
        "Age": age,
        "Annual_Income": np.round(income, -1),
        "Credit_Score": score,
        "Loan_Amount": np.round(amount, -2),
        "Loan_Duration_Years": duration,
        "Number_of_Open_Accounts": accounts,
        "Had_Past_Default": default,
    }
    return pd.DataFrame(columns, dtype=float)


def approval_probability(applicants: pd.DataFrame) -> np.ndarray:
    """Return (n,) the probability that the simulated underwriter approves each complete applicant.

    Amount, term and income act through the burden, the share of income that instalments take; a high burden counts
    more against a poor score, a past default more against a good one.
    """
    score = (applicants["Credit_Score"] - 650) / 80
    monthly = _ANNUAL_RATE / 12
    years = applicants["Loan_Duration_Years"]
    instalment = applicants["Loan_Amount"] * monthly / -np.expm1(-12 * years * np.log1p(monthly))
    burden = np.log(np.maximum(12 * instalment / applicants["Annual_Income"], 0.01) / 0.15)
    default = applicants["Had_Past_Default"]
    logit = (
        0.9
        + 1.3 * score
        - 1.6 * burden
        - 0.5 * np.maximum(burden, 0) * (score < 0)
        - 1.2 * default
        - 0.6 * default * np.maximum(score, 0)
        - 0.3 * np.abs(applicants["Number_of_Open_Accounts"] - 5) / 2
        + 0.25 * (applicants["Age"] - 44) / 14
        - 0.04 * np.maximum(years - 10, 0)
    )
    return expit(logit.to_numpy())


def simulate(rows: int = ROWS, seed: int = SEED) -> pd.DataFrame:
    """Return `rows` applicants and their decision `Loan_Approval`, NaN where missing; the seed fixes the result."""
    rng = np.random.default_rng(seed)
    applicants = make_applicants(rows, rng)
    approved = rng.random(rows) < approval_probability(applicants)
    for column, share in MISSING.items():
        applicants.loc[rng.random(rows) < share, column] = np.nan
    return applicants.assign(Loan_Approval=approved.astype(float))


def write_simulation(path: Path, rows: int = ROWS, seed: int = SEED) -> None:
    """Write the data set as CSV, the same bytes for the same rows and seed."""
    text = simulate(rows, seed).to_csv(index=False, float_format="%.0f", lineterminator="\n")
    write_atomically(path, text.encode())

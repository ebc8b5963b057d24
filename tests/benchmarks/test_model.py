import joblib
import pandas as pd

from tests.benchmarks.model import Made, make_questions


def test_the_pipeline_without_its_calibrator_decides_alike_at_its_own_threshold(logistic: Made) -> None:
    questions = make_questions(logistic, 10_000)
    pipeline = joblib.load(logistic.folder / "uncalibrated.joblib")
    assert [name for name, _ in pipeline.steps][-1] == "model"
    p = pipeline.predict_proba(pd.DataFrame(questions.rows))[:, 1]
    assert (p >= logistic.uncalibrated_threshold).astype(int).tolist() == questions.codes
    assert (p >= logistic.threshold).astype(int).tolist() != questions.codes  # the calibrator did something

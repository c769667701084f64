"""Character n-grams and a linear model of scikit-learn, trained on the public training items."""

import json
import os
import pathlib
import sys

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def text_of(item):
    """What the model reads of an item."""
    return f"{item.get('subject', '')} {item['text']}"


lines = pathlib.Path(os.environ["BAYANIHAN_TRAINING"]).read_text(encoding="utf-8").splitlines()
items = [json.loads(line) for line in lines]
model = make_pipeline(
    TfidfVectorizer(analyzer="char", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    LogisticRegression(C=30, max_iter=500),
)
model.fit([text_of(item) for item in items], [item["label"] == "attack" for item in items])
print('{"ready":1}', flush=True)
for line in sys.stdin:
    item = json.loads(line)
    score = float(model.predict_proba([text_of(item)])[0, 1])
    verdict = "malicious" if score >= 0.5 else "benign"
    print(json.dumps({"id": item["id"], "verdict": verdict, "score": round(score, 4)}), flush=True)

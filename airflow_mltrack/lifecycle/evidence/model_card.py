"""The model card of an evidence pack: Markdown with YAML front matter, as model hubs read it.

Front matter follows the Hugging Face hub's metadata, the sections those of skops' cards. What is
not recorded is said to be not provided. People add what only they know as tags of the version or of
the registered model: :data:`CARD_TAGS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_mltrack.lifecycle.evidence.card_metadata import card_tag, front_matter
from airflow_mltrack.lifecycle.evidence.markdown_text import fenced, in_code, in_text
from airflow_mltrack.lifecycle.evidence.report import NOTHING, show_number
from airflow_mltrack.lifecycle.evidence.values import items, mapping, texts

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.evidence.document import Document

CARD_TAGS = ("license", "intended_uses", "limitations", "authors", "contact", "citation")
"""Tags that the card shows."""
NOT_PROVIDED = "Not provided."
_IMAGES = 12
_ROWS = 300


def render_card(document: Document) -> str:
    """Write the card.

    :param document: what :func:`.document.evidence_document` gave.
    """
    blocks = ["---", front_matter(document).rstrip("\n"), "---", "", *_body(document)]
    return "\n".join(blocks).rstrip("\n") + "\n"


def _body(document: Document) -> Iterator[str]:
    summary = _summary(document)
    yield from _section(f"# {in_text(summary['model'])}, version {summary['version']}", "")
    yield from _section("# Model description", *_description(document))
    yield from _section("## Intended uses & limitations", *_limitations(document))
    yield from _section("## Training Procedure", *_procedure(document))
    yield from _section("### Hyperparameters", *_hyperparameters(document))
    yield from _section("### Model Plot", *_model_plot(document))
    yield from _section("## Evaluation Results", *_evaluation(document))
    yield from _section("# How to Get Started with the Model", *_get_started(document))
    yield from _section("# Model Card Authors", *_authors(document))
    yield from _section("# Model Card Contact", _told(document, "contact"))
    yield from _section("# Citation", _told(document, "citation"))


def _section(title: str, *lines: str) -> Iterator[str]:
    yield title
    yield ""
    if any(lines):
        yield from lines
        yield ""


def _description(document: Document) -> Iterator[str]:
    version, model = mapping(document["version"]), mapping(document["model"])
    told = version["description"] or model["description"]
    yield in_text(told) if told else NOT_PROVIDED
    yield ""
    summary, package = _summary(document), mapping(document["package"])
    yield f"- Stage: {in_text(summary['stage'])}"
    yield f"- Package sha256: {in_code(summary['digest'])}"
    yield f"- Class: {in_code(package.get('model_class'))}"
    yield f"- Format: {in_code(package.get('format'))}"
    verdict = summary["verdict"]
    if isinstance(verdict, Mapping):
        yield f"- Verdict: {'passed' if verdict['passed'] else 'not passed'}"
    else:
        yield "- Verdict: the version was never judged"
    approvers = summary["approved_by"]
    names = [in_text(name) for name in approvers] if isinstance(approvers, list) else []
    yield f"- Approved by: {', '.join(names) or 'nobody'}"


def _limitations(document: Document) -> Iterator[str]:
    yield f"Intended uses: {_told(document, 'intended_uses')}"
    yield ""
    yield f"Limitations: {_told(document, 'limitations')}"
    known = list(_known_limits(document))
    if known:
        yield ""
        yield "What is recorded:"
        yield ""
        yield from known


def _known_limits(document: Document) -> Iterator[str]:
    package, signature = mapping(document["package"]), mapping(document["signature"])
    if _summary(document)["is_synthetic"]:
        yield "- It was trained or judged on generated data, not on real records."
    for sentence in texts(package.get("holds_training_rows")):
        yield f"- The package holds training rows: {in_text(sentence)}"
    columns = items(signature.get("columns"))
    if any(column["minimum"] is not None or column["categories"] for column in columns):
        yield (
            "- Training saw the values that the table of inputs in the report shows; others are "
            "reported when the model is asked."
        )
    if not items(document["verdicts"]):
        yield "- It was never judged on held-out rows by a policy."


def _procedure(document: Document) -> Iterator[str]:
    training = mapping(document["training"])
    if not training:
        yield NOT_PROVIDED
        return
    yield f"- Run: {in_code(training['run_id'])}, attempt {training['attempt']}"
    for item in items(document["datasets"]):
        uses = ", ".join(in_text(use["context"]) for use in items(item["uses"]))
        yield f"- Data set: {in_code(item['name'])} ({uses}), sha256 {in_code(item['digest'])}"
    if training["split_digest"]:
        yield f"- Split sha256: {in_code(training['split_digest'])}"
    code = mapping(document["code"])
    if code.get("commit"):
        changed = ", with uncommitted changes" if code.get("dirty") else ""
        yield f"- Code: commit {in_code(code['commit'])}{changed}"
    steps = texts(mapping(document["package"]).get("stripped_steps"))
    if steps:
        listed = ", ".join(in_code(step) for step in steps)
        yield f"- Used in training only, not in the package: {listed}"


def _hyperparameters(document: Document) -> Iterator[str]:
    params = mapping(mapping(document["training"]).get("params"))
    if not params:
        yield NOT_PROVIDED
        return
    yield "| Hyperparameter | Value |"
    yield "|---|---|"
    for key, value in list(params.items())[:_ROWS]:
        yield f"| {in_code(key)} | {in_code(value)} |"
    if len(params) > _ROWS:
        yield ""
        yield f"The first {_ROWS} of {len(params)}; evidence.json has all of them."


def _model_plot(document: Document) -> Iterator[str]:
    """Name the steps of the recipe: the model itself is not loaded to draw it."""
    recipe = mapping(mapping(mapping(document["package"]).get("metadata")).get("recipe"))
    steps = [recipe.get(key) for key in ("resampler", "classifier")]
    named = [in_code(step) for step in steps if isinstance(step, str) and step not in ("", "none")]
    yield f"Preprocessing, then {', then '.join(named)}." if named else NOT_PROVIDED


def _evaluation(document: Document) -> Iterator[str]:
    metrics = _metrics(document)
    if not metrics:
        yield NOT_PROVIDED
    else:
        yield "| Metric | Rows | Value | Interval |"
        yield "|---|---|---|---|"
    for item in metrics[:_ROWS]:
        cells = (in_code(item["name"]), item["rows"] or NOTHING, show_number(item["value"]))
        yield f"| {' | '.join(map(str, cells))} | {_range(item)} |"
    for verdict in items(document["verdicts"])[:1]:
        yield ""
        yield from _checks(verdict)
    pictures = [
        plot for plot in items(document["plots"]) if str(plot["content_type"]).startswith("image/")
    ]
    for plot in pictures[:_IMAGES]:
        yield ""
        yield f"![{in_text(plot['title'])}]({quote(str(plot['path']))})"


def _checks(verdict: Mapping[str, object]) -> Iterator[str]:
    word = "passed" if verdict["passed"] else "did not pass"
    yield f"The latest verdict {word}, on {in_code(verdict['dataset_name'])}:"
    yield ""
    yield "| Check | Result | Observed | Interval | Must be |"
    yield "|---|---|---|---|---|"
    for check in items(verdict["checks"])[:_ROWS]:
        ends = check["interval"]
        low, high = ends if isinstance(ends, list) else (None, None)
        shown = _range({"low": low, "high": high, "confidence": check["confidence"]})
        asked = (
            "" if check["threshold"] is None else f"{check['comparison']} {check['threshold']:.10g}"
        )
        result = "passed" if check["passed"] else "failed" if check["blocks"] else "warned"
        observed = show_number(check["observed"])
        yield f"| {in_code(check['name'])} | {result} | {observed} | {shown} | {in_text(asked)} |"


def _range(item: Mapping[str, object]) -> str:
    if item["low"] is None or item["high"] is None:
        return NOTHING
    level = item["confidence"]
    said = f" ({level:.0%})" if isinstance(level, float) else ""
    return f"{show_number(item['low'])} to {show_number(item['high'])}{said}"


def _get_started(document: Document) -> Iterator[str]:
    package = mapping(document["package"])
    if not package:
        yield NOT_PROVIDED
        return
    summary = _summary(document)
    uri = f"models:/{summary['model']}/{summary['version']}"
    is_pickle = package.get("format") == "pickle"
    if is_pickle:
        yield "The package is a pickle: loading it runs its author's code."
        yield ""
    more = ", allow_pickle=True" if is_pickle else ""
    yield fenced(
        "python",
        "from airflow_mltrack.settings import environment_settings\n"
        "from airflow_mltrack.tracking.client import TrackingClient\n"
        "from airflow_mltrack.tracking.model_uri import load_model\n\n"
        "with TrackingClient(environment_settings()) as client:\n"
        f"    model = load_model(client, {uri!r}{more})\n\n"
        "print(model.manifest.signature)",
    )
    yield ""
    yield "`model.predict(rows)` takes a pandas DataFrame with these columns."


def _authors(document: Document) -> Iterator[str]:
    told = card_tag(document, "authors")
    if told:
        yield in_text(told)
    summary = _summary(document)
    for deed, who in (
        ("registered", summary["registered_by"]),
        ("trained", summary["trained_by"]),
    ):
        if who:
            yield f"- {in_text(who)} ({deed} this version)"
    if not any((told, summary["registered_by"], summary["trained_by"])):
        yield NOT_PROVIDED


def _told(document: Document, tag: str) -> str:
    value = card_tag(document, tag)
    return in_text(value) if value else NOT_PROVIDED


def _metrics(document: Document) -> Sequence[Mapping[str, object]]:
    return items(mapping(document["training"]).get("metrics"))


def _summary(document: Document) -> Mapping[str, object]:
    return mapping(document["summary"])

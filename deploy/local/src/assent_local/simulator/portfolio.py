"""What the demo company has in its registry: a telephone, broadband and shop business with a card of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assent_local.simulator import reports

Report = Callable[..., dict[str, Any]]

_SAGEMAKER_IMAGES = "492215442770.dkr.ecr.eu-central-1.amazonaws.com"
_DEEP_LEARNING_IMAGES = "763104351884.dkr.ecr.eu-central-1.amazonaws.com"
_OWN_IMAGES = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Version:
    """One step of a line: what it says of itself and what became of it."""

    description: str
    #: `Approved`, `Rejected` or still `PendingManualApproval`, and what the approver wrote.
    approval: str = "PendingManualApproval"
    because: str = ""
    stage: tuple[str, str] = ("Development", "Registered")
    samples: int = 4_000
    bare_nan: bool = False
    zipped: bool = False
    failed: bool = False

    @property
    def looked_at(self) -> bool:
        return self.approval != "PendingManualApproval" or self.stage != ("Development", "Registered")


@dataclass(frozen=True, slots=True)
class Line:
    """A model package group and its versions, oldest first."""

    group: str
    description: str
    team: str
    owner: str
    cost_centre: str
    purpose: str
    risk: str
    domain: str
    task: str
    image: str
    framework: str
    framework_version: str
    algorithm: str
    dataset: str
    report: Report
    #: What the first version reached, and what the last.
    first: Mapping[str, float]
    last: Mapping[str, float]
    versions: tuple[Version, ...]
    content_types: tuple[str, ...] = ("text/csv",)
    bias_report: bool = False
    extra_tags: Mapping[str, str] = field(default_factory=dict)


_RETIRED = ("Retirement", "Retired")
_PRODUCTION = ("Production", "Serving")
_STAGING = ("Staging", "Testing")

CHURN = Line(
    group="customer-churn",
    description="Which mobile customers are likely to cancel in the next 60 days",
    team="customer-analytics",
    owner="grace.okafor",
    cost_centre="4711",
    purpose="Call customers who are about to leave, before they do",
    risk="Low",
    domain="MACHINE_LEARNING",
    task="CLASSIFICATION",
    image=f"{_SAGEMAKER_IMAGES}/sagemaker-xgboost:1.7-1",
    framework="XGBOOST",
    framework_version="1.7-1",
    algorithm="xgboost",
    dataset="s3://company-data/churn/monthly-usage/",
    report=reports.binary,
    first={"accuracy": 0.851, "precision": 0.742, "recall": 0.613, "f1": 0.671, "auc": 0.866},
    last={"accuracy": 0.927, "precision": 0.869, "recall": 0.778, "f1": 0.821, "auc": 0.948},
    versions=(
        Version("Baseline on twelve months of usage and billing", "Rejected", "Recall too low to be worth a call"),
        Version("Contract end date and device age added", "Approved", "First model in the call centre", _RETIRED),
        Version("Tuned depth and learning rate", "Approved", "Better on every segment", _RETIRED),
        Version("Complaint tickets added", "Rejected", "Ticket texts hold health data; no legal basis", _RETIRED),
        Version("Without tickets; roaming behaviour added", "Approved", "Checked with the data steward", _RETIRED),
        Version("Trained on 24 months", "Approved", "Stable over two quarters", _RETIRED),
        Version("Monotonic constraints on price features", "Approved", "Explains itself better", _PRODUCTION),
        Version("Network quality at the home cell added", stage=_STAGING),
        Version("Retrained after the summer tariffs"),
    ),
    extra_tags={"product": "mobile"},
)

CREDIT = Line(
    group="credit-risk",
    description="Probability that an applicant for the shop card defaults within twelve months",
    team="risk-analytics",
    owner="henrik.lund",
    cost_centre="2040",
    purpose="Decide on shop card applications and their limits",
    risk="High",
    domain="MACHINE_LEARNING",
    task="CLASSIFICATION",
    image=f"{_OWN_IMAGES}/sagemaker-lightgbm:4.5.0",
    framework="LIGHTGBM",
    framework_version="4.5.0",
    algorithm="lightgbm",
    dataset="s3://company-data/credit/applications/",
    report=reports.binary,
    first={"accuracy": 0.884, "precision": 0.581, "recall": 0.492, "f1": 0.533, "auc": 0.781},
    last={"accuracy": 0.913, "precision": 0.684, "recall": 0.607, "f1": 0.643, "auc": 0.842},
    versions=(
        Version("Scorecard rebuilt as gradient boosting", "Rejected", "Worse than the scorecard for the self-employed"),
        Version("Bureau data added", "Approved", "Validated independently", _RETIRED),
        Version("Pilot on applications from branches only", "Rejected", "Too few cases to judge", samples=148),
        Version("Age removed, reweighted by region", "Approved", "Disparate impact above 0.9", _RETIRED),
        Version("Income verified through open banking", "Approved", "Independent validation 2026-03", _PRODUCTION),
        Version("Reject inference", "Rejected", "Assumptions about rejected applicants can't be defended"),
        Version("Monotonic in income and tenure; recalibrated", stage=_STAGING),
    ),
    bias_report=True,
    extra_tags={"regulation": "AI Act Annex III 5b"},
)

SCREENING = Line(
    group="cv-screening",
    description="Whether an application fits the role that it was sent for",
    team="people-analytics",
    owner="amara.diallo",
    cost_centre="1100",
    purpose="Suggest an order in which recruiters read applications",
    risk="High",
    domain="NATURAL_LANGUAGE_PROCESSING",
    task="TEXT_CLASSIFICATION",
    image=f"{_DEEP_LEARNING_IMAGES}/pytorch-inference:2.3.0-cpu-py311-ubuntu20.04-sagemaker",
    framework="PYTORCH",
    framework_version="2.3.0",
    algorithm="bert-multilingual",
    dataset="s3://company-data/people/applications-anonymous/",
    report=reports.binary,
    first={"accuracy": 0.742, "precision": 0.701, "recall": 0.688, "f1": 0.694, "auc": 0.803},
    last={"accuracy": 0.836, "precision": 0.812, "recall": 0.795, "f1": 0.803, "auc": 0.897},
    versions=(
        Version("Fine-tuned on four years of applications", "Rejected", "Learns past hiring decisions"),
        Version("Names, photographs and addresses removed", "Rejected", "Still prefers one university"),
        Version("Universities and dates removed", "Approved", "Pilot in two departments", _RETIRED),
        Version("English, German, French and Spanish", stage=_STAGING),
        Version("Distilled to a quarter of the size"),
    ),
    content_types=("application/json",),
    bias_report=True,
    extra_tags={"regulation": "AI Act Annex III 4a"},
)

DEMAND = Line(
    group="demand-forecast",
    description="Units sold of each article in each shop, by day, for the next four weeks",
    team="supply-chain",
    owner="kenji.mori",
    cost_centre="3305",
    purpose="Order what the shops will sell",
    risk="Low",
    domain="MACHINE_LEARNING",
    task="REGRESSION",
    image=f"{_DEEP_LEARNING_IMAGES}/tensorflow-inference:2.14.1-cpu",
    framework="TENSORFLOW",
    framework_version="2.14.1",
    algorithm="temporal-fusion-transformer",
    dataset="s3://company-data/shops/daily-sales/",
    report=reports.regression,
    first={"mae": 6.84, "mse": 97.2, "rmse": 9.86, "r2": 0.713},
    last={"mae": 3.91, "mse": 34.8, "rmse": 5.9, "r2": 0.872},
    versions=(
        Version("Seasonal baseline", "Approved", "Replaces the spreadsheet", _RETIRED),
        Version("Weather and holidays added", "Approved", "Two thirds fewer empty shelves in the trial", _RETIRED),
        Version("Promotions added", "Approved", "Handles the week of Black Friday", _RETIRED),
        Version("One model for all regions", "Rejected", "Worse in the mountains"),
        Version("Regions as an embedding", "Approved", "Better everywhere", _PRODUCTION),
        Version("Retrained with the new shops"),
    ),
    content_types=("application/json",),
)

ROUTING = Line(
    group="support-routing",
    description="To which team a customer's message goes: billing, delivery, returns or technical",
    team="service-automation",
    owner="lea.bernard",
    cost_centre="5120",
    purpose="Send a message to the team that can answer it, at once",
    risk="Medium",
    domain="NATURAL_LANGUAGE_PROCESSING",
    task="TEXT_CLASSIFICATION",
    image=f"{_DEEP_LEARNING_IMAGES}/huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04",
    framework="HUGGINGFACE",
    framework_version="4.37.0",
    algorithm="xlm-roberta-base",
    dataset="s3://company-data/service/messages-redacted/",
    report=reports.multiclass,
    first={"accuracy": 0.781, "precision": 0.774, "recall": 0.781, "f1": 0.776},
    last={"accuracy": 0.902, "precision": 0.904, "recall": 0.902, "f1": 0.903},
    versions=(
        Version("English only", "Approved", "For the British shop", _RETIRED),
        Version("Six languages", "Approved", "Checked by native speakers", _RETIRED),
        Version(
            '=HYPERLINK("https://example.com") Routes "Où est ma commande ?" 📦🇫🇷 '
            '<script>alert("hi")</script> أين طلبي؟',
            "Rejected",
            "Description is not serious; numbers are",
        ),
        Version("Chat transcripts added", "Approved", "Redaction checked", _PRODUCTION),
        Version("Half-precision weights", "Rejected", "Delivery and returns are mixed up too often"),
        Version("Retrained with messages of the autumn"),
    ),
    content_types=("application/json",),
)

FRAUD = Line(
    group="card-fraud",
    description="Whether a payment with the shop card was made by somebody else",
    team="payments-security",
    owner="tomas.novak",
    cost_centre="2090",
    purpose="Stop a payment and ask the customer",
    risk="Medium",
    domain="MACHINE_LEARNING",
    task="CLASSIFICATION",
    image=f"{_SAGEMAKER_IMAGES}/sagemaker-scikit-learn:1.2-1-cpu-py3",
    framework="SKLEARN",
    framework_version="1.2-1",
    algorithm="hist-gradient-boosting",
    dataset="s3://company-data/payments/transactions/",
    report=reports.binary,
    first={"accuracy": 0.981, "precision": 0.612, "recall": 0.544, "f1": 0.576, "auc": 0.931},
    last={"accuracy": 0.993, "precision": 0.847, "recall": 0.762, "f1": 0.802, "auc": 0.978},
    versions=(
        Version("Rules and a forest", "Approved", "Catches twice as much as the rules", _RETIRED),
        Version("Velocity features by merchant", failed=True),
        Version("Velocity features by merchant, smaller", "Approved", "Half as many false alarms", _PRODUCTION),
        Version("Device fingerprints added", stage=_STAGING, bare_nan=True),
        Version("Graph features of shared addresses", zipped=True),
    ),
)

PHOTOS = Line(
    group="Product-Photos",
    description="What an article's photograph shows, for the shop's categories",
    team="shop-platform",
    owner="ines.costa",
    cost_centre="3380",
    purpose="File a new article under the right category",
    risk="Low",
    domain="COMPUTER_VISION",
    task="IMAGE_CLASSIFICATION",
    image=f"{_DEEP_LEARNING_IMAGES}/pytorch-inference:2.3.0-gpu-py311-cu121-ubuntu20.04-sagemaker",
    framework="PYTORCH",
    framework_version="2.3.0",
    algorithm="efficientnet-b3",
    dataset="s3://company-data/shop/photos/",
    report=reports.flat,
    first={"accuracy": 0.884},
    last={"accuracy": 0.93},
    versions=(
        Version("Transfer from ImageNet", "Approved", "Good enough to suggest", _RETIRED),
        Version("Own photographs only", "Approved", "Suggestions taken nine times in ten", _PRODUCTION),
        Version("Larger crops"),
    ),
    content_types=("image/jpeg",),
)

LINES = (CHURN, CREDIT, SCREENING, DEMAND, ROUTING, FRAUD, PHOTOS)

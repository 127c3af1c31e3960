"""The services that call triggers: what they are called, and how each is set up, step by step."""

from dataclasses import dataclass

from nod.domain.inbound_verify import VerifyKind


@dataclass(frozen=True, slots=True)
class Service:
    """`name` in a choice, `caller` in a sentence; `secret` says where its secret comes from."""

    name: str
    caller: str
    secret: str
    steps: tuple[str, ...]


_MADE_UP = "Make one up: long, random, and used nowhere else."

SERVICES: dict[VerifyKind, Service] = {
    "none": Service(
        "Anyone who has the address",
        "something",
        "",
        ("Give the caller the address above. It is the only permission: treat it as a password.",),
    ),
    "github": Service(
        "GitHub",
        "GitHub",
        _MADE_UP,
        (
            "Enter a secret here and save it.",
            "In the repository on GitHub: Settings, Webhooks, Add webhook.",
            "Payload URL: the address above.",
            "Content type: application/json.",
            "Secret: the one you entered here.",
            (
                "Choose the events, leave Active ticked, and press Add webhook."
                " GitHub then calls once to try it; that makes the first run."
            ),
        ),
    ),
    "gitlab": Service(
        "GitLab",
        "GitLab",
        _MADE_UP,
        (
            "Enter a secret here and save it.",
            "In the project on GitLab: Settings, Webhooks, Add new webhook.",
            "URL: the address above.",
            "Secret token: the one you entered here.",
            (
                "Choose the triggers, leave SSL verification on, and press Add webhook."
                " Its Test menu sends a first call."
            ),
        ),
    ),
    "stripe": Service(
        "Stripe",
        "Stripe",
        "Stripe makes it: the signing secret of the endpoint, whole (whsec_…).",
        (
            "In the Stripe dashboard: Developers, Webhooks, Add endpoint.",
            "Endpoint URL: the address above. Choose the events, and add it.",
            "On the endpoint's page, reveal its signing secret (whsec_…).",
            "Enter it here whole and save it.",
        ),
    ),
    "slack": Service(
        "Slack",
        "Slack",
        "Slack makes it: the signing secret of the app.",
        (
            "At api.slack.com/apps, choose the app: Basic Information, Signing Secret, Show.",
            "Enter it here and save it, before you go on: Slack checks the address with it.",
            "In the app: Event Subscriptions, turn Enable Events on.",
            "Request URL: the address above. Slack says Verified.",
            "Subscribe to the bot events you want, and press Save Changes.",
        ),
    ),
    "standard": Service(
        "Standard Webhooks",
        "a signed webhook",
        "The sender makes it: whsec_ followed by base64.",
        (
            "Give the sender the address above.",
            "Enter the secret that it shows for this address (whsec_…) here and save it.",
        ),
    ),
    "hmac-sha256": Service(
        "HMAC-SHA256",
        "a signed call",
        _MADE_UP,
        (
            "Enter a secret here, save it, and give it to the caller.",
            (
                "The caller sends the header X-Signature-256: the hex HMAC-SHA256 of the body,"
                " made with the secret."
            ),
        ),
    ),
    "bearer": Service(
        "Bearer token",
        "a caller with the token",
        _MADE_UP,
        (
            "Enter a secret here, save it, and give it to the caller.",
            "The caller sends the header Authorization: Bearer, followed by the secret.",
        ),
    ),
}

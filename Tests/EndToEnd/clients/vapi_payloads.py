"""Posts what Vapi sends to a custom model, built with the types of Vapi's own SDK, and tells the answers, one JSON line each.

All that is neither the model's nor Sluice's business holds the word "private": the test looks for that word.
"""

import datetime
import json
import os
import urllib.request

import openai
from tell import tell
from vapi.phone_numbers.types import get_phone_numbers_response as numbers
from vapi.types.assistant import Assistant
from vapi.types.assistant_credentials_item import AssistantCredentialsItem_CustomLlm
from vapi.types.assistant_model import AssistantModel_CustomLlm
from vapi.types.assistant_overrides import AssistantOverrides
from vapi.types.call import Call
from vapi.types.create_customer_dto import CreateCustomerDto
from vapi.types.server import Server
from vapi.types.sip_authentication import SipAuthentication

now = datetime.datetime(2026, 11, 22, 10, 0, tzinfo=datetime.timezone.utc)
record = {"org_id": "private-org", "created_at": now, "updated_at": now}
server = Server(url="https://private.example/hook", headers={"X-Secret": "private-header"}, credential_id="private-credential")
number = {**record, "id": "private-number", "server": server, "number": "+15550100 private"}

phone_numbers = [
    numbers.GetPhoneNumbersResponse_ByoPhoneNumber(**number, credential_id="private-trunk"),
    numbers.GetPhoneNumbersResponse_Twilio(
        **number,
        twilio_account_sid="private-sid",
        twilio_auth_token="private-token",
        twilio_api_key="private-key",
        twilio_api_secret="private-secret",
    ),
    numbers.GetPhoneNumbersResponse_Vonage(**number, credential_id="private-vonage"),
    numbers.GetPhoneNumbersResponse_Vapi(
        **number,
        sip_uri="sip:private@sip.vapi.ai",
        authentication=SipAuthentication(realm="private-realm", username="private-user", password="private-password"),
    ),
    numbers.GetPhoneNumbersResponse_Telnyx(**number, credential_id="private-telnyx"),
]
calls = [(kind, phone) for kind in ("inboundPhoneCall", "outboundPhoneCall") for phone in phone_numbers]
calls += [("webCall", None), ("vapi.websocketCall", None)]

request = {
    "model": "stub-1",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Tell me a joke"},
        {"role": "assistant", "content": None},
    ],
    "temperature": 0.5,
    "max_tokens": 250,
}


def body(mode, kind, phone):
    """What Vapi's documents say of the mode, whose default is `variable`."""
    if mode == "off":
        return request
    metadata = {"numModelRequestInTurn": 2, "numAssistantTurns": 1, "tenant": "private-tenant", "plan": {"tier": "private"}}
    model = AssistantModel_CustomLlm(url="https://private.example/v1", model="stub-1", metadata_send_mode=mode, temperature=0.5)
    key = AssistantCredentialsItem_CustomLlm(api_key="private-api-key")
    assistant = Assistant(**record, id="private", model=model, credentials=[key], server=server, metadata=metadata)
    customer = CreateCustomerDto(number="+15550199 private", name="private name", email="private@example.com")
    about = {
        "call": Call(**record, id="4f2c7a1e-call", type=kind, status="in-progress", assistant_id="private", customer=customer),
        "customer": customer,
        "assistant": assistant,
        "assistantOverrides": AssistantOverrides(variable_values={"name": "private name"}, metadata=metadata),
    }
    if phone:
        about["phoneNumber"] = phone
    about = {name: json.loads(value.json()) for name, value in about.items()}
    return {**request, **about, **({"metadata": metadata} if mode == "variable" else metadata)}


def ask(body):
    """Asks with the package that Vapi asks with, and then without `stream`."""
    with openai.OpenAI(max_retries=0).chat.completions.create(**request, stream=True, extra_body=body) as chunks:
        content = [text for chunk in chunks if (text := chunk.choices[0].delta.content)]
    url, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    plain = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(plain) as response:
        return {"content": content, "type": response.headers["Content-Type"], "text": response.read().decode()}


cases = [("off", None, None)] + [(mode, *call) for mode in ("variable", "destructured") for call in calls]
for mode, kind, phone in cases:
    sent = body(mode, kind, phone)
    provider = phone.provider if phone else None
    tell(mode=mode, call=kind, provider=provider, members=sorted(sent), private=json.dumps(sent).count("private"), **ask(sent))

"""What the scripts of the clients share: they tell what they see, one JSON line each."""

import json


def tell(**seen):
    print(json.dumps(seen, ensure_ascii=False), flush=True)


def tell_error(error):
    tell(
        error=type(error).__name__,
        status=getattr(error, "status_code", None),
        message=str(getattr(error, "message", error)),
        type=getattr(error, "type", None),
        param=getattr(error, "param", None),
    )

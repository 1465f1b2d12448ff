"""JSON text as Discord sends it: compact, not escaped."""

import json

dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode

"""What calls take and answer, as JSON Schema: checked when a call comes in, and published as OpenAPI."""

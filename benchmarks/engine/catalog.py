"""Catalog of the benchmarks that run a whole Slipway: one Discord server, one environment, one target."""

from __future__ import annotations

# The sandbox derives ids from names: this is `harbor`.
GUILD_ID = "1459747831315891395"


def catalog(
    *, plan: str, policy: str, services: str, defaults: str = "", target: str = "{kind: process, users: host}"
) -> str:
    """The catalog as YAML. plan, policy, target: in flow style; services, defaults: entries, indented by two."""
    return f"""
guilds:
  harbor:
    id: "{GUILD_ID}"
    channels: {{deploys: deploys, alerts: alerts}}
    roles: {{deployer: deployer, release-manager: release-manager, on-call: oncall}}
defaults:
  target: local
  metrics: [router]
  policy: web
  plan: measured
  roles: {{deploy: [deployer], rollback: [on-call], operate: [deployer], lock: [on-call], notify: [on-call]}}
{defaults}
environments: {{production: {{}}}}
targets: {{local: {target}}}
metrics: {{router: {{kind: router}}}}
plans: {{measured: {plan}}}
policies: {{web: {policy}}}
services:
{services}
"""

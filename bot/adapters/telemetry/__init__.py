"""Metrics of Slipway for Prometheus."""

from bot.adapters.telemetry.telemetry import Telemetry as Telemetry
from bot.adapters.telemetry.telemetry import rest_trace as rest_trace

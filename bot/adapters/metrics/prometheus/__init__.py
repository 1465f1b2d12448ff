"""Prometheus as evidence: its query API as a metric source, and firing alerts as signals of plain rules.

settings.py  what people write
api.py       the HTTP API of Prometheus and Alertmanager
queries.py   PromQL of a source, and readings of a release in the answers (pure)
counters.py  the metric source of kind `prometheus`
alerts.py    the source of kind `alerts`
"""

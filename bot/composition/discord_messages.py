"""Messages to Discord: cards of rollouts, notices, cards of alerts and incidents, within one budget."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.config import Catalog
from bot.engine.service import Engine
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.incidents.service import Incidents
from bot.ports.coordination import Clock
from bot.ports.store import Store
from bot.ui.alerts.publisher import AlertCards
from bot.ui.announcer import DiscordAnnouncer
from bot.ui.chart.chart import Charts
from bot.ui.chart.evidence_chart import EvidenceCharts
from bot.ui.chart.lanes.alerts import AlertCharts
from bot.ui.chart.lanes.charts import LaneCharts
from bot.ui.chart.rollout_chart import CardCharts
from bot.ui.gateway.client import GatewayConnection
from bot.ui.incidents.publisher import IncidentCards
from bot.ui.message_budget import MessageBudget
from bot.ui.reports.chart import ReportCharts


class DiscordMessages:
    """`close` ends what is on its way; nothing is lost, since cards are drawn from the database.

    following: the clock by which alerts are followed up.
    """

    def __init__(
        self,
        engine: Engine,
        alerts: Alerts,
        incidents: Incidents,
        store: Store,
        *,
        catalog: Callable[[], Catalog],
        clock: Clock,
        following: Clock,
    ) -> None:
        self.connection = GatewayConnection()
        drawing = Charts()
        self._charts, self.evidence = CardCharts(drawing), EvidenceCharts(drawing)
        self.lane_charts = LaneCharts(drawing)
        self.reports = ReportCharts(drawing)
        budget = MessageBudget()
        self.announcer = DiscordAnnouncer(
            self.connection.rest,
            engine.card,
            store.cards,
            store.notes,
            catalog,
            clock,
            chart=self._charts,
            measured=engine.view,
            bars=self.reports.told,
            budget=budget,
            alerts=store.alerts,
        )
        self.alert_charts = AlertCharts(drawing, store.served, catalog, clock)
        self.alert_cards = AlertCards(
            self.connection.rest,
            alerts,
            store=store.alerts,
            notes=store.notes,
            catalog=catalog,
            clock=following,
            budget=budget,
            draw=self.alert_charts,
            directly=self.announcer.directly,
        )
        self.announcer.card_first = self.alert_cards.first
        self.incident_cards = IncidentCards(
            self.connection.rest,
            incidents,
            store=store.incidents,
            notes=store.notes,
            catalog=catalog,
            rooms=self.announcer.rooms,
            budget=budget,
        )

    async def close(self) -> None:
        await self.alert_cards.close()
        await self.announcer.close()
        await self._charts.close()

/** The event stream: resumes after the last event seen, so that a lost connection loses no event. */

const KINDS = [
  "message_create", "message_update", "message_delete", "interaction_create", "interaction_update", "channel_create",
  "channel_update", "channel_delete", "thread_create", "thread_update", "thread_delete", "people_create", "people_update",
  "people_delete", "role_create", "role_update", "role_delete",
  "commands_update", "session_update", "typing", "faults_update", "services_update", "clock_update", "reset", "resync",
];
const SLOWEST_RETRY_MS = 4000;

export class Stream {
  /**
   * @param {(kind: string, data: any) => void} onEvent
   * @param {(connected: boolean) => void} onConnection
   */
  constructor(onEvent, onConnection) {
    this.onEvent = onEvent;
    this.onConnection = onConnection;
    this.last = 0;
    this.retryMs = 250;
    this.source = null;
    this.timer = 0;
  }

  /** Listens from event `after` on, closing the former stream. */
  start(after) {
    this.stop();
    this.last = after;
    this.open();
  }

  stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** EventSource sends Last-Event-ID only on its own retries, and gives up on an HTTP error: both are done here. */
  open() {
    const source = new EventSource(`/sandbox/v1/events?since=${this.last}`);
    this.source = source;
    source.onopen = () => {
      this.retryMs = 250;
      this.onConnection(true);
    };
    source.onerror = () => {
      source.close();
      if (this.source !== source) return;
      this.onConnection(false);
      this.timer = setTimeout(() => this.open(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, SLOWEST_RETRY_MS);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        if (this.source !== source) return;
        if (event.lastEventId) this.last = Number(event.lastEventId);
        this.onEvent(kind, JSON.parse(event.data || "{}"));
      });
    }
  }
}

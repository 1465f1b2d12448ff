"""Real Prometheus and Alertmanager for tests, with an endpoint of metrics that a test sets."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from demo.children import free_port
from tests.support.waiting import PATIENCE_S

# `test`, as Prometheus' own documentation has it.
USER, PASSWORD = "slipway", "test"
_HASH = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"
_PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


class Exporter:
    """An endpoint with Prometheus text, or with native histograms in protobuf; `broken` answers 500."""

    def __init__(self) -> None:
        self.text = ""
        self.native: bytes = b""
        self.broken = False
        exporter = self

        class ExporterHandler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                native = self.path.startswith("/native")
                body = exporter.native if native else exporter.text.encode()
                self.send_response(500 if exporter.broken else 200)
                self.send_header("Content-Type", _PROTOBUF if native else "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing: the output belongs to pytest."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ExporterHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Program:
    """One of the two programs: runs at `url` with `files` in its folder; `arguments` may name `{port}`."""

    def __init__(
        self, program: str, arguments: list[str], folder: Path, files: Mapping[str, str], scheme: str = "http"
    ) -> None:
        path = shutil.which(program)
        if path is None:
            raise LookupError(f"{program} is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._folder = folder
        self._command = [path, *(a.replace("{port}", str(self.port)) for a in arguments)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its port answers. Raises RuntimeError with its last lines."""
        log = self._folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=out, stderr=out)
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if _listens(self.url):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self._command[0]} did not start: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.stop()


def prometheus(
    folder: Path,
    exporter: Exporter,
    *,
    rules: str = "",
    alertmanager: Program | None = None,
    certificate: bool = False,
    password: bool = False,
) -> Program:
    """A server that scrapes `exporter` each second. Raises LookupError where Prometheus is not installed."""
    files = {"prometheus.yml": _config(exporter, rules, alertmanager), "rules.yml": rules, "web.yml": ""}
    if password:
        files["web.yml"] += f"basic_auth_users: {{{USER}: '{_HASH}'}}\n"
    if certificate:
        files["web.yml"] += "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
        folder.mkdir(parents=True, exist_ok=True)
        self_signed(folder)
    arguments = [
        *("--config.file=prometheus.yml", "--web.config.file=web.yml", "--storage.tsdb.path=data"),
        *("--web.listen-address=127.0.0.1:{port}", "--enable-feature=native-histograms"),
        "--log.level=warn",
    ]
    return Program("prometheus", arguments, folder, files, "https" if certificate else "http")


_NO_RECEIVER = "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n"


def alertmanager(folder: Path, config: str = _NO_RECEIVER) -> Program:
    """Raises LookupError where the Alertmanager is not installed."""
    files = {"alertmanager.yml": config}
    arguments = [
        *("--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="),
        *("--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
    ]
    return Program("prometheus-alertmanager", arguments, folder, files)


def self_signed(folder: Path) -> None:
    """`cert.pem` and `key.pem` for 127.0.0.1."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def native_histogram(name: str, labels: Mapping[str, str], schema: int, counts: Mapping[int, int]) -> bytes:
    """A metric family with one native histogram, in Prometheus' delimited protobuf.

    counts: observations by bucket; bucket `i` ends at `2 ** (i / 2**schema)` seconds.
    """
    spans, deltas, last, before = b"", b"", 0, None
    for index, count in sorted(counts.items()):
        offset = index if before is None else index - before - 1
        spans += _field(12, _number(1, _zigzag(offset)) + _number(2, 1))
        deltas += _varint(_zigzag(count - last))
        last, before = count, index
    histogram = (
        _number(1, sum(counts.values()))
        + _double(2, 1.0)
        + _number(5, _zigzag(schema))
        + _double(6, 1e-128)
        + spans
        + _field(13, deltas)
    )
    pairs = b"".join(_field(1, _field(1, n.encode()) + _field(2, v.encode())) for n, v in labels.items())
    family = _field(1, name.encode()) + _number(3, 4) + _field(4, pairs + _field(7, histogram))
    return _varint(len(family)) + family


def _config(exporter: Exporter, rules: str, alerts: Program | None) -> str:
    config = (
        # A scrape that a busy machine answers too late ends every series until the next one.
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 200ms}\n"
        "scrape_configs:\n"
        "- job_name: text\n  honor_labels: true\n"
        f"  static_configs: [{{targets: ['{exporter.address}']}}]\n"
        "- job_name: native\n  honor_labels: true\n  metrics_path: /native\n"
        f"  static_configs: [{{targets: ['{exporter.address}']}}]\n"
    )
    if rules:
        config += "rule_files: [rules.yml]\n"
    if alerts is not None:
        config += (
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alerts.port}']}}]}}]}}\n"
        )
    return config


def _listens(url: str) -> bool:
    import ssl

    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        urllib.request.urlopen(f"{url}/-/ready", timeout=5.0, context=trusting).close()
    except urllib.error.HTTPError as answer:
        return answer.code == 401
    except OSError:
        return False
    return True


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value

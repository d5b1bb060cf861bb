#!/usr/bin/env python3
# ruff: noqa
# Kept as it came, so that figures stay comparable; see README.md for its origin.
"""CPU microseconds per request of a server, as a ratio to nginx doing a plain pass-through in the same run.

    python proxy_cpu.py --target 'http://127.0.0.1:8080/demo/{size}' --target-pid PID \
        --header 'X-Api-Key: k' --baseline nginx --size 1k --c 32 --rounds 4 --seconds 3

`{size}` in the target is replaced by --size; a target without it is used as it stands (token vend,
forward auth). The upstream (upstream/serve.py) is expected on --upstream-port; if nothing listens there
it is started for the run. Rounds go target, baseline, target, baseline, ...; the ratio of each pair is
taken and their median, min and max printed. Standard library only; the load comes from `wrk` if it is
installed (Debian: apt-get install wrk), else from this file's own Python generator.
Exit status: 0; 1 a limit was passed (--max-ratio, --max-errors); 2 could not measure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent / "upstream"))
from serve import BYTES, Nginx, free_port, port_open  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
WRK_LUA = """
function done(s, l, r)
  local e = s.errors
  io.write(string.format('\\n@@{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,' ..
    '"status":%d,"timeout":%d,"p50":%.4f,"p95":%.4f,"p99":%.4f,"max":%.4f}\\n', s.requests, s.duration / 1e6,
    s.bytes, e.connect, e.read, e.write, e.status, e.timeout, l:percentile(50) / 1e3, l:percentile(95) / 1e3,
    l:percentile(99) / 1e3, l.max / 1e3))
end
"""


# ---- the server's CPU and memory -------------------------------------------------------------------


def _stat(pid: int) -> tuple[int, int] | None:
    """(parent pid, utime+stime+cutime+cstime in ticks); the last two keep a reaped child's time counted."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    f = raw[raw.rindex(")") + 2 :].split()
    return int(f[1]), sum(int(x) for x in f[11:15])


def tree(pid: int | list[int]) -> dict[int, int]:
    """pid -> ticks, for the process (or processes) and all descendants."""
    stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := _stat(int(p)))}
    out, todo = {}, [pid] if isinstance(pid, int) else list(pid)
    if not set(todo) <= set(stats):
        raise RuntimeError(f"not all of {todo} are running")
    while todo:
        p = todo.pop()
        out[p] = stats[p][1]
        todo += [c for c, (parent, _) in stats.items() if parent == p]
    return out


def cpu_seconds(pid: int | list[int]) -> float:
    return sum(tree(pid).values()) / TICK


def machine_seconds() -> float:
    """CPU seconds the whole machine has spent working (user, nice, system, irq, softirq)."""
    f = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(f[i]) for i in (0, 1, 2, 5, 6)) / TICK


def rss_kb(pid: int | list[int]) -> int:
    """Memory of the process and its children, kB; shared pages are divided among their users (Pss) if readable."""
    total = 0
    for p in tree(pid):
        with contextlib.suppress(OSError):
            try:
                text = Path(f"/proc/{p}/smaps_rollup").read_text()
                key = "Pss:"
            except OSError:
                text, key = Path(f"/proc/{p}/status").read_text(), "VmRSS:"
            for line in text.splitlines():
                if line.startswith(key):
                    total += int(line.split()[1])
    return total


# ---- load ------------------------------------------------------------------------------------------


def load_wrk(url: str, headers: list[str], c: int, seconds: float) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(WRK_LUA)
        lua.flush()
        cmd = ["wrk", "-t1", f"-c{c}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", lua.name]
        for h in headers:
            cmd += ["-H", h]
        p = subprocess.run(cmd + [url], capture_output=True, text=True, timeout=seconds + 60)
    for line in p.stdout.splitlines():
        if line.startswith("@@"):
            return json.loads(line[2:])
    raise RuntimeError(f"wrk failed on {url}: {p.stderr.strip() or p.stdout.strip()}")


class _Conn(asyncio.Protocol):
    def __init__(self, req: bytes, res: dict):
        self.req, self.res = req, res
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, tr):
        self.tr = tr
        self.send()

    def send(self):
        self.buf, self.need, self.t = b"", None, time.perf_counter()
        self.tr.write(self.req)

    def data_received(self, data):
        self.res["bytes"] += len(data)
        if self.need is None:
            self.buf += data
            end = self.buf.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buf[:end].lower()
            self.code = self.buf[9:12].decode("latin-1")
            self.close_after = b"\r\nconnection: close" in head
            i = head.find(b"\r\ncontent-length:")
            if i >= 0:
                self.need = int(head[i + 17 :].split(b"\r\n", 1)[0]) - (len(self.buf) - end - 4)
            else:  # chunked: done when the last chunk has come
                self.need, self.buf = -1, self.buf[end + 2 :]
        elif self.need == -1:
            self.buf = self.buf[-8:] + data
        else:
            self.need -= len(data)
        if self.need == 0 or (self.need == -1 and self.buf.endswith(b"\r\n0\r\n\r\n")):
            self.res["lat"].append(time.perf_counter() - self.t)
            self.res["codes"][self.code] = self.res["codes"].get(self.code, 0) + 1
            if time.perf_counter() >= self.res["end"] or self.close_after:
                self.tr.close()
            else:
                self.send()

    def connection_lost(self, exc):
        if exc or self.need is None:
            self.res["read"] += 1
        if not self.lost.done():
            self.lost.set_result(None)


def _py_worker(host, port, req, c, seconds, q):
    res = {"lat": [], "codes": {}, "bytes": 0, "connect": 0, "read": 0}

    async def one(loop):
        while time.perf_counter() < res["end"]:
            try:
                _, conn = await loop.create_connection(lambda: _Conn(req, res), host, port)
            except OSError:
                res["connect"] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                await asyncio.wait_for(conn.lost, res["end"] - time.perf_counter() + 5)
            except asyncio.TimeoutError:
                conn.tr.abort()
                return

    async def main():
        res["end"] = time.perf_counter() + seconds
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[one(loop) for _ in range(c)])

    asyncio.run(main())
    q.put(res)


def load_python(url: str, headers: list[str], c: int, seconds: float, procs: int = 2) -> dict:
    u = urlsplit(url)
    path = (u.path or "/") + (f"?{u.query}" if u.query else "")
    req = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {u.netloc}", *headers, "", ""]).encode()
    ctx = multiprocessing.get_context("fork")
    q = ctx.Queue()
    procs = min(procs, c)
    ps = [
        ctx.Process(target=_py_worker, args=(u.hostname, u.port or 80, req, c // procs + (i < c % procs), seconds, q))
        for i in range(procs)
    ]
    t = time.perf_counter()
    for p in ps:
        p.start()
    parts = [q.get(timeout=seconds + 60) for _ in ps]
    took = time.perf_counter() - t
    for p in ps:
        p.join()
    lat = sorted(x * 1e3 for r in parts for x in r["lat"])
    codes: dict[str, int] = {}
    for r in parts:
        for k, v in r["codes"].items():
            codes[k] = codes.get(k, 0) + v
    pick = lambda f: lat[min(len(lat) - 1, int(len(lat) * f))] if lat else 0.0  # noqa: E731
    return {
        "requests": len(lat),
        "seconds": took,
        "bytes": sum(r["bytes"] for r in parts),
        "connect": sum(r["connect"] for r in parts),
        "read": sum(r["read"] for r in parts),
        "write": 0,
        "status": sum(v for k, v in codes.items() if k >= "400"),
        "timeout": 0,
        "codes": codes,
        "p50": pick(0.5),
        "p95": pick(0.95),
        "p99": pick(0.99),
        "max": lat[-1] if lat else 0.0,
    }


def generator(name: str = "auto"):
    if name == "auto":
        name = "wrk" if shutil.which("wrk") else "python"
    return {"wrk": load_wrk, "python": load_python}[name]


# ---- one measurement -------------------------------------------------------------------------------


def measure(
    url: str,
    pid: int | list[int],
    headers: list[str],
    c: int,
    seconds: float,
    load=load_wrk,
    expect_bytes: int = 0,
    upstream: Nginx | None = None,
) -> dict:
    """One round: the load's figures and the server's CPU per completed request."""
    fails = upstream.failures() if upstream else None
    known = lambda: sum(os.times()[:4]) + (cpu_seconds(upstream.pid) if upstream else 0.0)  # noqa: E731
    others, before = machine_seconds() - known(), cpu_seconds(pid)
    r = load(url, headers, c, seconds)
    # a server may finish work for requests in flight when the load stopped; let it, and count that too
    time.sleep(0.05)
    used = cpu_seconds(pid) - before
    others = machine_seconds() - known() - others - used
    n = r["requests"]
    out = {
        "requests": n,
        "rps": round(n / r["seconds"], 1),
        "p50_ms": round(r["p50"], 3),
        "p95_ms": round(r["p95"], 3),
        "p99_ms": round(r["p99"], 3),
        "errors": sum(r[k] for k in ("connect", "read", "write", "timeout", "status")),
        "error_kinds": {k: r[k] for k in ("connect", "read", "write", "timeout", "status") if r[k]},
        "upstream_errors": None if fails is None else upstream.failures() - fails,
        "cpu_us": round(used / n * 1e6, 2) if n else None,
        "cpu_cores": round(used / r["seconds"], 2),
        "rss_kb": rss_kb(pid),
        # busy cores that belong to none of server, generator and upstream: above ~0.2 the round is noisy
        "other_cores": round(max(0.0, others) / r["seconds"], 2) if upstream else None,
    }
    if "codes" in r:
        out["codes"] = r["codes"]
    if expect_bytes and n and r["bytes"] / n < expect_bytes * 0.98:
        out["short_bodies"] = True
        out["errors"] = max(out["errors"], n)
    return out


NOISY = 0.2


def wait_quiet(seconds: float) -> None:
    """Wait until the machine does nothing much for a quarter of a second, or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        t, busy = time.monotonic(), machine_seconds()
        time.sleep(0.25)
        if machine_seconds() - busy < 0.15 * (time.monotonic() - t):
            return


def measure_quiet(*args, tries: int = 3, quiet: float = 5, **kw) -> dict:
    """measure(), again up to `tries` times while other processes disturb it; the least disturbed is kept."""
    best = None
    for _ in range(max(1, tries)):
        wait_quiet(quiet)
        r = measure(*args, **kw)
        if best is None or (r["other_cores"] or 0) < (best["other_cores"] or 0):
            best = r
        if (r["other_cores"] or 0) <= NOISY:
            break
    return best


def summary(rounds: list[dict]) -> dict:
    med = lambda k: round(statistics.median(r[k] for r in rounds), 3)  # noqa: E731
    ups = [r["upstream_errors"] for r in rounds]
    return {
        "requests": sum(r["requests"] for r in rounds),
        "errors": sum(r["errors"] for r in rounds),
        "upstream_errors": None if None in ups else sum(ups),
        "rps": med("rps"),
        "p50_ms": med("p50_ms"),
        "p95_ms": med("p95_ms"),
        "p99_ms": med("p99_ms"),
        "cpu_us_per_request": med("cpu_us"),
        "cpu_cores": med("cpu_cores"),
        "rss_kb": rounds[-1]["rss_kb"],
        "other_cores": None if rounds[0]["other_cores"] is None else max(r["other_cores"] for r in rounds),
    }


def ratios(a: list[dict], b: list[dict]) -> dict:
    r = [x["cpu_us"] / y["cpu_us"] for x, y in zip(a, b)]
    # of_best: lowest against lowest; noise only ever adds CPU, so it is the steadiest figure on a busy machine
    best = min(x["cpu_us"] for x in a) / min(y["cpu_us"] for y in b)
    return {
        "median": round(statistics.median(r), 2),
        "min": round(min(r), 2),
        "max": round(max(r), 2),
        "of_best": round(best, 2),
    }


@contextlib.contextmanager
def upstream_on(port: int):
    """The upstream: the one that already listens (None if it is not serve.py's), else one started here."""
    if port_open(port):
        yield Nginx.attach(port)
    else:
        with Nginx.upstream(port) as up:
            yield up


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--target", required=True, metavar="URL")
    ap.add_argument(
        "--target-pid",
        required=True,
        type=int,
        action="append",
        metavar="PID",
        help="the server's process, children are counted too; may be given more than once",
    )
    ap.add_argument("--header", action="append", default=[], metavar="'K: V'")
    ap.add_argument("--baseline", choices=["nginx", "none"], default="nginx")
    ap.add_argument("--size", choices=list(BYTES), default="1k")
    ap.add_argument("--c", type=int, default=32, help="keep-alive connections")
    ap.add_argument("--rounds", type=int, default=4)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--tries", type=int, default=3, help="times a round is repeated while other processes disturb it")
    ap.add_argument("--upstream-port", type=int, default=9401)
    ap.add_argument("--generator", choices=["auto", "wrk", "python"], default="auto")
    ap.add_argument("--max-ratio", type=float, help="exit 1 when the median ratio is above this")
    ap.add_argument("--max-errors", type=int, default=0, help="exit 1 when the target had more errors (default 0)")
    args = ap.parse_args()
    if args.max_ratio and args.baseline == "none":
        ap.error("--max-ratio needs --baseline nginx")
    load = generator(args.generator)
    url = args.target.replace("{size}", args.size)
    expect = BYTES[args.size] if "{size}" in args.target else 0
    a: list[dict] = []
    b: list[dict] = []
    try:
        with contextlib.ExitStack() as st:
            up = st.enter_context(upstream_on(args.upstream_port))
            base = None
            if args.baseline == "nginx":
                base = st.enter_context(Nginx.proxy(free_port(), args.upstream_port))
            kw = dict(c=args.c, load=load, upstream=up)
            base_url = f"http://127.0.0.1:{base.port}/{args.size}" if base else ""
            measure(url, args.target_pid, args.header, seconds=1, **kw)  # warm both, not counted
            if base:
                measure(base_url, base.pid, args.header, seconds=1, **kw)
            for _ in range(args.rounds):
                a.append(
                    measure_quiet(
                        url,
                        args.target_pid,
                        args.header,
                        seconds=args.seconds,
                        expect_bytes=expect,
                        tries=args.tries,
                        **kw,
                    )
                )
                if base:
                    b.append(
                        measure_quiet(
                            base_url,
                            base.pid,
                            args.header,
                            seconds=args.seconds,
                            expect_bytes=BYTES[args.size],
                            tries=args.tries,
                            **kw,
                        )
                    )
            if not all(r["requests"] for r in a + b):
                raise RuntimeError(f"a round completed no request: {json.dumps(a + b)}")
    except (RuntimeError, OSError) as e:
        print(f"proxy_cpu: {e}", file=sys.stderr)
        return 2
    out = {
        "url": url,
        "size": args.size,
        "c": args.c,
        "seconds": args.seconds,
        "generator": load.__name__[5:],
        "target": summary(a),
    }
    if b:
        out["baseline"] = summary(b)
        out["ratio"] = ratios(a, b)
    out["rounds"] = [{"target": x, **({"baseline": y} if y else {})} for x, y in zip(a, b or [None] * len(a))]
    print(json.dumps(out, indent=1))
    bad = []
    if out["target"]["errors"] > args.max_errors:
        bad.append(f"{out['target']['errors']} errors, {args.max_errors} allowed")
    if b and out["baseline"]["errors"]:
        bad.append(f"the baseline had {out['baseline']['errors']} errors")
    if args.max_ratio and out["ratio"]["median"] > args.max_ratio:
        bad.append(f"ratio {out['ratio']['median']} is above {args.max_ratio}")
    noise = max((r["other_cores"] or 0.0) for r in a + b)
    if noise > NOISY:
        print(f"proxy_cpu: other processes used up to {noise} cores in a round; repeat when quiet", file=sys.stderr)
    for m in bad:
        print(f"proxy_cpu: {m}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())

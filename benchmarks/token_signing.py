"""Freshly signed users' tokens: this package's rate against that of the vendor's SDK for Node."""

from __future__ import annotations

from functools import partial
from statistics import median

from _measure import interleaved, pin, quick, ratio, show
from _workers import NodeMissingError, Worker, node_sdk, node_worker, python_worker

NO_SERVER = "9"


def cpu_per_token(worker: Worker, tokens: int) -> float:
    """Seconds."""
    return worker.ask("sign", count=tokens)["cpu"] / tokens


def main() -> None:
    rounds, size = (3, 300) if quick(__doc__ or "") else (31, 3000)
    pin(0)
    try:
        node_sdk()
    except NodeMissingError as reason:
        show("token_signing", f"not measured: {reason}", [], aim="at least 20 x the Node SDK's rate")
        return
    with python_worker(NO_SERVER) as ours, node_worker(NO_SERVER, "shipped") as node:
        samples = interleaved(
            {"ours": partial(cpu_per_token, ours, size), "node": partial(cpu_per_token, node, size)}, rounds
        )
    show(
        "token_signing",
        f"{ratio(samples, 'node', 'ours'):.1f} x the Node SDK's rate",
        [
            f"await tokens.for_user, fresh  {median(samples['ours']) * 1e6:7.2f} us",
            f"Node SDK createClientToken    {median(samples['node']) * 1e6:7.2f} us",
        ],
        aim="at least 20 x",
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Kevin Hillstrom's e-mail trial as a stream of events: the CSV in, JSON lines out.

    python3 examples/hillstrom/events.py hillstrom.csv > events.jsonl
    python3 examples/hillstrom/events.py hillstrom.csv --held-out > events.jsonl   # the customers the model has not seen

The data is Kevin Hillstrom's MineThatData E-Mail Analytics And Data Mining Challenge (2008): 64,000 customers, a third
each got a men's e-mail, a women's e-mail or none. Get it from https://blog.minethatdata.com (20 March 2008; scikit-uplift's
`fetch_hillstrom` and causalml load the same file). It is not part of this repository: no licence to redistribute it is known.

For each customer: a `profile` event with what was known before the trial, a `treatment` event (the assignment), an
`ad_view` when there was an e-mail, a `click` when the shop was visited, a `purchase` when something was bought, and a
`trial_end` after two weeks. The data says only that visits and purchases came within these two weeks: here they come one
day after the assignment, and an hour later.
"""
import argparse
import csv
import json
import pathlib
import sys

DAY = 86_400_000
START = 1_204_329_600_000  # 2008-03-01, milliseconds since 1970
ARMS = {"Womens E-Mail": "womens", "Mens E-Mail": "mens", "No E-Mail": "control"}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", help="hillstrom.csv")
parser.add_argument("--held-out", action="store_true", help="only the 12,808 customers on whom hillstrom.model was not fitted")
options = parser.parse_args()

kept = None
if options.held_out:
    with open(pathlib.Path(__file__).parent / "held-out.csv", newline="") as file:
        kept = {int(row["row"]) for row in csv.DictReader(file)}

events = []
with open(options.data, newline="") as file:
    for row, customer in enumerate(csv.DictReader(file)):
        if kept is not None and row not in kept:
            continue

        def event(kind, time, **members):
            events.append((time, {"id": f"h-{row}-{kind}", "user_id": f"customer-{row}", "type": kind, "time": time, **members}))

        mailed = START + DAY + row * 1_000
        event("profile", START + row * 1_000, properties={
            "recency": int(customer["recency"]), "history": float(customer["history"]), "mens": int(customer["mens"]),
            "womens": int(customer["womens"]), "newbie": int(customer["newbie"]), "zip_code": customer["zip_code"],
            "channel": customer["channel"]})
        arm = ARMS[customer["segment"]]
        event("treatment", mailed, treatment={"experiment_id": "minethatdata", "arm": arm, "propensity": 1 / 3})
        if arm != "control":
            event("ad_view", mailed + 60_000, channel="email")
        if customer["visit"] == "1":
            event("click", mailed + DAY, channel="email")
        if customer["conversion"] == "1":
            event("purchase", mailed + DAY + 3_600_000, value=float(customer["spend"]), currency="USD")
        event("trial_end", mailed + 14 * DAY)

events.sort(key=lambda item: item[0])
for _, members in events:
    sys.stdout.write(json.dumps(members, separators=(",", ":")) + "\n")

#!/usr/bin/env python3
"""The training rows of hillstrom.model: women's e-mail or none, without the held-out customers (held-out.csv).

    python3 examples/hillstrom/rows.py hillstrom.csv > rows.csv
"""
import csv
import pathlib
import sys

with open(pathlib.Path(__file__).parent / "held-out.csv", newline="") as file:
    held_out = {int(row["row"]) for row in csv.DictReader(file)}
with open(sys.argv[1], newline="") as file:
    customers = csv.DictReader(file)
    out = csv.DictWriter(sys.stdout, customers.fieldnames, lineterminator="\n")
    out.writeheader()
    for row, customer in enumerate(customers):
        if customer["segment"] != "Mens E-Mail" and row not in held_out:
            out.writerow(customer)

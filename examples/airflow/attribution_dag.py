"""Attribution each night: extract, transform, call, store, export.

The DAG only wires; the work is `impactiq attribute`. It reads three Airflow variables, each with a default:

    attribution_database   the SQLite file with session_sources, conversions and session_costs
    attribution_export     the folder for channel_reporting.csv and report.html
    attribution_impactiq   the impactiq program

With the variable attribution_ihc_url (and IMPACTIQ_IHC_API_KEY in the worker's environment) the credit comes from that IHC API;
otherwise from the IHC model itself.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess

import pendulum
from airflow.sdk import Variable, dag, task

TABLES = {
    "session_sources": ["session_id", "user_id", "event_date", "event_time", "channel_name"],
    "conversions": ["conv_id", "user_id", "conv_date", "conv_time", "revenue"],
}


def setting(name: str, default: str) -> str:
    """An Airflow variable, or the environment's, or the default."""
    return os.environ.get(name.upper()) or Variable.get(name, default=default)


def impactiq(*arguments: str) -> str:
    """Runs impactiq and returns what it prints; a failure carries its message."""
    program = setting("attribution_impactiq", "impactiq")
    done = subprocess.run([program, "attribute", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"impactiq attribute {arguments[0]} failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


@dag(
    dag_id="attribution",
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["impactiq"],
)
def attribution():
    @task
    def extract() -> dict:
        """Looks at the tables: a missing one ends the run before anything is written."""
        path = setting("attribution_database", "challenge.db")
        if not os.path.exists(path):
            raise FileNotFoundError(f"there is no database {path}: set the variable attribution_database")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            rows = {}
            for table, columns in TABLES.items():
                known = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
                missing = [column for column in columns if column not in known]
                if missing:
                    raise ValueError(f"{path}: {table} has no {', '.join(missing)}")
                rows[table] = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return {"database": path, "rows": rows}

    @task
    def transform(extracted: dict) -> dict:
        """Makes the journeys of the linear model in memory: what is odd in the data shows here, before credit is written."""
        source = f"sqlite:{extracted['database']}"
        answer = json.loads(impactiq("compare", "--source", source, "--model", "linear", "--json"))
        return {**extracted, "conversions": answer["conversions"], "notes": answer["notes"]}

    @task(retries=2)
    def call(transformed: dict) -> dict:
        """Credit from the IHC API or the model, written in one transaction; repeating it changes nothing."""
        source = f"sqlite:{transformed['database']}"
        url = setting("attribution_ihc_url", "")
        if url:
            answer = json.loads(impactiq("call-ihc", "--source", source, "--url", url, "--json"))["run"]
        else:
            answer = json.loads(
                impactiq("run", "--source", source, "--model", "ihc", "--since", "last", "--lock-wait", "60s", "--json"))
        return {**transformed, "attributed": answer["conversions"]}

    @task
    def store(called: dict) -> dict:
        """Checks what is stored: one unit of credit a conversion."""
        with sqlite3.connect(f"file:{called['database']}?mode=ro", uri=True) as database:
            wrong = database.execute(
                "SELECT count(*) FROM (SELECT 1 FROM attribution_customer_journey GROUP BY conv_id "
                "HAVING abs(sum(ihc) - 1) > 1e-9)"
            ).fetchone()[0]
        if wrong:
            raise ValueError(f"{wrong} conversions have a credit that does not add up to 1")
        return called

    @task
    def export(stored: dict) -> str:
        """channel_reporting.csv with CPO and ROAS, and the page."""
        folder = setting("attribution_export", ".")
        os.makedirs(folder, exist_ok=True)
        table = os.path.join(folder, "channel_reporting.csv")
        impactiq(
            "report", "--source", f"sqlite:{stored['database']}", "--csv", table, "--html",
            os.path.join(folder, "report.html"))
        return table

    export(store(call(transform(extract()))))


attribution()

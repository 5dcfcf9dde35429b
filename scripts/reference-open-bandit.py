#!/usr/bin/env python3
"""Off-policy values by PyPI's obp 0.4.1 on ../shared/data/open-bandit: the numbers in Tests/EvaluationTests/OpenBanditTests.swift.

    python3 -m venv V && V/bin/pip install numpy pandas scikit-learn scipy tqdm matplotlib pyyaml && V/bin/pip install --no-deps obp==0.4.1
    V/bin/python scripts/reference-open-bandit.py ../shared/data/open-bandit

obp's own requirements (an old scikit-learn) do not build on Python 3.11, hence --no-deps; torch, which only its neural
policies use, is stood in for by an empty module.
"""
import csv
import gzip
import sys
import types

import numpy as np


class Absent(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        module = sys.modules.get(f"{self.__name__}.{name}")
        return module or type(name, (), {"__init__": lambda self, *_, **__: None})


for module in ("torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils", "torch.utils.data",
               "mypy_extensions", "seaborn"):
    try:
        __import__(module)
    except ImportError:
        sys.modules[module] = Absent(module)

from obp.ope.estimators import (  # noqa: E402
    DirectMethod, DoublyRobust, InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting)


def load(name):
    rows = list(csv.DictReader(gzip.open(f"{sys.argv[1]}/{name}_all.csv.gz", "rt")))
    return (np.array([int(r["item_id"]) for r in rows]), np.array([int(r["position"]) - 1 for r in rows]),
            np.array([int(r["click"]) for r in rows]), np.array([float(r["propensity_score"]) for r in rows]))


logs = {"random": load("random"), "thompson": load("bts")}
# The Thompson policy by position: each item's mean logged propensity there, normalised to sum to 1.
action, position, _, propensity = logs["thompson"]
total, count = np.zeros((3, 80)), np.zeros((3, 80))
np.add.at(total, (position, action), propensity)
np.add.at(count, (position, action), 1)
thompson = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
thompson /= thompson.sum(1, keepdims=True)

for log, name, policy in (("thompson", "uniform", np.full((3, 80), 1 / 80)), ("random", "thompson", thompson)):
    action, position, reward, propensity = logs[log]
    n = len(action)
    distribution = np.repeat(policy.T[None], n, axis=0)
    # A reward model that both sides can write down: 0.003 + item / 80,000.
    model = np.tile((0.003 + np.arange(80) / 80_000)[None, :, None], (n, 1, 3))
    given = dict(reward=reward, action=action, pscore=propensity, action_dist=distribution, position=position)
    print(f"{log} log, mean reward {reward.mean()!r}; value of {name}:")
    print("  ips   ", repr(InverseProbabilityWeighting().estimate_policy_value(**given)))
    print("  snips ", repr(SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given)))
    print("  dr    ", repr(DoublyRobust().estimate_policy_value(estimated_rewards_by_reg_model=model, **given)))
    print("  direct", repr(DirectMethod().estimate_policy_value(
        action_dist=distribution, estimated_rewards_by_reg_model=model, position=position)))

"""Records and a small sweep with accuracies chosen so that its tables can be worked out by hand."""

import json
from pathlib import Path


def make_record(step, environments, hparams_seed=0, trial_seed=0, dataset="Debug28", algorithm="ERM", **extra):
    """A record whose environments are (in accuracy, out accuracy, is it a test environment)."""
    record = {
        "step": step,
        "args": {
            "algorithm": algorithm,
            "dataset": dataset,
            "holdout_fraction": 0.2,
            "hparams_seed": hparams_seed,
            "output_dir": "out",
            "test_envs": [index for index, (_, _, is_test) in enumerate(environments) if is_test],
            "trial_seed": trial_seed,
        },
        "hparams": {"lr": 0.1},
    }
    for index, (in_acc, out_acc, _) in enumerate(environments):
        record[f"env{index}_in_acc"] = in_acc
        record[f"env{index}_out_acc"] = out_acc
    return record | extra


def write_run(sweep: Path, name: str, records: list[dict], done: bool = True) -> Path:
    """A job directory."""
    run = sweep / name
    run.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record, sort_keys=True) + "\n" for record in records]
    (run / "results.jsonl").write_text("".join(lines), encoding="utf-8")
    if done:
        (run / "done").write_text("done", encoding="utf-8")
    return run


def write_sweep(sweep: Path) -> None:
    """ERM and IB_ERM on Debug28 (three environments), two trials, steps 0 and 1; pairs for ERM only.

    The test accuracy of ERM in environment 0 is 0.6 then 0.8 in trial 0, and 0.4 then 0.8 in trial 1; each further
    environment adds 0.05. Held-out data of the training environments prefers step 0 in trial 0, step 1 in trial 1;
    the pairs prefer step 0. IB_ERM has 0.5 everywhere.
    """
    for trial_seed, test_accuracies in enumerate([(0.6, 0.8), (0.4, 0.8)]):
        held_out = [(0.9, 0.5), (0.5, 0.9)][trial_seed]
        for test_envs in ([0], [1], [2], [0, 1], [0, 2], [1, 2]):
            records = []
            for step in (0, 1):
                environments = [(0.1, held_out[step], False)] * 3
                for env in test_envs:
                    in_acc = test_accuracies[step] + 0.05 * env if len(test_envs) == 1 else (0.7, 0.3)[step]
                    environments[env] = (in_acc, 0.2, True)
                records.append(make_record(step, environments, trial_seed=trial_seed))
            write_run(sweep, f"erm-{trial_seed}-{'-'.join(map(str, test_envs))}", records)
        for env in range(3):
            environments = [(0.5, 0.5, index == env) for index in range(3)]
            records = [make_record(step, environments, trial_seed=trial_seed, algorithm="IB_ERM") for step in (0, 1)]
            write_run(sweep, f"ib-{trial_seed}-{env}", records)

"""The arguments of one run and the hyperparameters that follow from them."""

import dataclasses
import json
from typing import Any

from domainbed.errors import InputError
from domainbed.running.hparams import default_hparams, random_hparams
from domainbed.seeds import seed_hash

# They cannot change a number of a run, so that one that is continued may have others.
INCIDENTAL = {"data_dir", "output_dir", "save_model_every_checkpoint", "skip_model_save"}
# Beside DomainBed's 16: they are recorded where they are given.
OURS = ("channels_last", "compile", "exact_images", "fixed_hparams", "precision")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What a run is: each field is a flag of scripts/train.py, recorded under `args`."""

    algorithm: str = "ERM"
    channels_last: bool = False
    checkpoint_freq: int | None = None
    compile: bool = False
    data_dir: str = "./data"
    dataset: str = "RotatedMNIST"
    exact_images: bool = False
    fixed_hparams: bool = False
    holdout_fraction: float = 0.2
    hparams: str | None = None
    hparams_seed: int = 0
    output_dir: str = "train_output"
    precision: str = "float32"
    save_model_every_checkpoint: bool = False
    seed: int = 0
    skip_model_save: bool = False
    steps: int | None = None
    task: str = "domain_generalization"
    test_envs: list[int] = dataclasses.field(default_factory=lambda: [0])
    trial_seed: int = 0
    uda_holdout_fraction: float = 0

    def record(self) -> dict[str, Any]:
        """The arguments as the records hold them: DomainBed's 16, and those of OURS that differ from the default."""
        default = {field.name: field.default for field in dataclasses.fields(self)}
        record = dataclasses.asdict(self)
        return {name: value for name, value in record.items() if name not in OURS or value != default[name]}

    def check_same_run(self, recorded: dict[str, Any]) -> None:
        """Check that recorded arguments are these, as far as they decide the numbers.

        Raises:
            InputError: naming those in which the two differ.
        """
        mine = self.record()
        names = sorted((mine.keys() | recorded.keys()) - INCIDENTAL)
        differing = [
            f"{name} {recorded.get(name)!r}"
            for name in names
            if _meaning(name, recorded.get(name)) != _meaning(name, mine.get(name))
        ]
        if differing:
            raise InputError(
                f"{self.output_dir} holds another run's results ({', '.join(differing)}); choose another --output_dir"
            )

    def given_hparams(self) -> dict[str, Any]:
        """The object given to --hparams, {} for none.

        Raises:
            InputError: not JSON, or not an object.
        """
        try:
            given = json.loads(self.hparams or "{}")
        except json.JSONDecodeError as error:
            raise InputError(f"--hparams is not valid JSON: {error}; write it like '{{\"lr\": 0.001}}'") from None
        except RecursionError:
            raise InputError("--hparams is nested too deeply; write it like '{\"lr\": 0.001}'") from None
        if not isinstance(given, dict):
            raise InputError(f"--hparams must be a JSON object like '{{\"lr\": 0.001}}', not {self.hparams}")
        return given

    def all_hparams(self) -> dict[str, Any]:
        """The run's hyperparameters: defaults, or a draw if hparams_seed is not 0, overridden by --hparams.

        The draw is the trial's own, or, with fixed_hparams, the same for all trials.

        Raises:
            InputError: as `given_hparams`.
        """
        if self.hparams_seed == 0:
            chosen = default_hparams(self.algorithm, self.dataset)
        else:
            seed = seed_hash(self.hparams_seed, 0 if self.fixed_hparams else self.trial_seed)
            chosen = random_hparams(self.algorithm, self.dataset, seed)
        return chosen | self.given_hparams()


def _meaning(name: str, value: Any) -> Any:
    """An argument's value, for comparison: of --hparams, what its text says."""
    return json.loads(value or "{}") if name == "hparams" else value

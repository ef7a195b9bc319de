#!/bin/sh
# Everything that judges the project, cheap things first; stops at the first stage that fails and says which.
#   sh scripts/test.sh          all of it; what the tests run against is built meanwhile where it is missing
#   sh scripts/test.sh fast     rules, types, unit tests and scenarios
#   sh scripts/test.sh lint     rules and types only
# The last lines are the closing lines of every pytest run. The whole output of each stage stays in build/test/.
set -u

cd "$(dirname "$0")/.."
bin=.venv/bin
trainer=.venv-trainer/bin
logs=build/test
closing=''
builder=''
shown=''
beside=''
began=$(date +%s)

cleanup() { # without its reader the compiler ends at its next line
    for left in $builder $shown $beside; do
        kill "$left" 2>/dev/null
    done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

finish() { # exit status; the closing lines come last, whatever happened
    [ -z "$closing" ] || printf '\n%s' "$closing"
    exit "$1"
}

begin() { # name
    name=$1
    log=$logs/$(printf '%s' "$name" | tr ' ' '-').log
    start=$(date +%s)
    printf '\n== %s\n' "$name"
}

judge() { # exit status
    if [ "$1" -ne 0 ]; then
        printf '== %s: FAILED after %s s, see %s\n' "$name" $(($(date +%s) - start)) "$log"
        finish "$1"
    fi
    printf '== %s: ok in %s s\n' "$name" $(($(date +%s) - start))
}

run() { # command...: runs it, shows and keeps what it says
    { "$@" 2>&1; printf '%s' $? >"$log.status"; } | tee "$log"
    status=$(cat "$log.status")
}

stage() { # name, command...
    begin "$1"
    shift
    run "$@"
    judge "$status"
}

tests() { # name, python, pytest's arguments...
    begin "$1"
    python=$2
    shift 2
    run "$python" -m pytest -q -o faulthandler_timeout=1200 "$@"
    close
}

close() { # what pytest said last goes to the end of everything
    last=$(grep -E '(passed|failed|errors?|skipped|deselected|ran) in [0-9.]+s' "$log" | tail -n 1)
    closing="$closing$name:
${last:-pytest did not finish}
"
    judge "$status"
}

start_building() { # with what the other stages leave over of the processors
    nice -n 10 "$bin/sklearn-operator" sandbox build "$@" >"$logs/binaries.log" 2>&1 &
    builder=$!
}

await_building() { # shows how far it is
    begin 'binaries'
    tail -n +1 -f "$log" &
    shown=$!
    wait "$builder"
    status=$?
    builder=''
    sleep 1 # for the last lines
    kill "$shown"
    shown=''
    judge "$status"
}

lint() {
    stage 'ruff check' "$bin/ruff" check .
    stage 'ruff format' "$bin/ruff" format --check .
    stage 'rules of the rooms' "$bin/lint-imports"
    stage 'types of the operator' "$bin/mypy" operator/sklearn_operator operator/sklearn_sandbox bench manual
    stage 'types of the trainer' "$trainer/mypy" operator/sklearn_steps operator/sklearn_runtime
}

# Each environment collects what it can import. That generated files (CRDs, pipelines, catalogue) are what their
# sources say is a test among these.
operator_units() {
    tests 'unit tests and scenarios' "$bin/python" tests/unit tests/scenarios \
        --ignore=tests/unit/steps --ignore=tests/unit/runtime_server
}

trainer_units() {
    tests 'unit tests of steps and serving' "$trainer/python" tests/unit/steps tests/unit/runtime_server
}

# Beside the sandbox, whose tests wait more than they compute.
start_beside() { # file for the output, python, pytest's arguments...; its process becomes the last of $beside
    file=$logs/$1.log
    python=$2
    shift 2
    nice -n 5 "$python" -m pytest -q -o faulthandler_timeout=1200 "$@" >"$file" 2>&1 </dev/null &
    beside="$beside $!"
}

await_beside() { # name (that of the file, with spaces for dashes), process
    begin "$1"
    wait "$2"
    status=$?
    cat "$log"
    close
}

rm -rf "$logs"
mkdir -p "$logs"
case ${1:-all} in
lint)
    lint
    ;;
fast)
    start_building --only minio
    lint
    operator_units
    tests 'model check' "$bin/python" tests/model_check
    await_building
    trainer_units
    ;;
all)
    start_building --tools
    lint
    operator_units
    await_building
    start_beside unit-tests-of-steps-and-serving "$trainer/python" tests/unit/steps tests/unit/runtime_server
    units=$!
    start_beside model-check "$bin/python" tests/model_check
    model=$!
    start_beside parts-of-the-sandbox "$bin/python" tests/sandbox
    parts=$!
    tests 'adapters and API server' "$bin/python" tests/contract tests/decoupled
    # Two worlds side by side, a file always in one: while one waits, the other computes.
    tests 'whole sandbox' "$bin/python" -n 2 --dist loadfile --durations=25 tests/everything
    await_beside 'model check' "$model"
    await_beside 'parts of the sandbox' "$parts"
    await_beside 'unit tests of steps and serving' "$units"
    ;;
*)
    printf 'usage: sh scripts/test.sh [all|fast|lint]\n' >&2
    exit 2
    ;;
esac
printf '\n== all stages passed in %s s\n' $(($(date +%s) - began))
finish 0

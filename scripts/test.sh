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
long=tests/decoupled/test_away.py
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

start_building() { # command...: with what the other stages leave over of the processors
    nice -n 10 "$@" >"$logs/binaries.log" 2>&1 &
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
    stage 'types of the operator' "$bin/mypy" operator/sklearn_operator operator/sklearn_sandbox bench scripts manual
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

# The images are built from their files and run. It takes root and Debian's packages, which CI has; elsewhere the last lines
# of it all say that it was not done.
can_build_images() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

await_images() { # process, where there is one
    if [ -n "$1" ]; then
        await_beside 'images' "$1"
        return
    fi
    closing="${closing}images:
NOT built and NOT run here: that takes root and apt-get. Their files alone were looked at
"
    [ "${CI:-}" != true ] || finish 1
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
    start_building "$bin/sklearn-operator" sandbox build --only minio
    lint
    operator_units
    tests 'model check' "$bin/python" tests/model_check
    await_building
    trainer_units
    ;;
all)
    # What the tests of GitOps tools run is made of packages that the API server is made of, too.
    start_building env PYTHONPATH=tests "$bin/python" -m gitops.building "$bin/sklearn-operator" sandbox build --tools
    # It needs nothing but a processor, of which these stages leave one.
    start_beside model-check "$bin/python" tests/model_check
    model=$!
    lint
    operator_units
    await_building
    start_beside unit-tests-of-steps-and-serving "$trainer/python" tests/unit/steps tests/unit/runtime_server
    units=$!
    start_beside parts-of-the-sandbox "$bin/python" tests/sandbox
    parts=$!
    images=''
    if can_build_images; then
        start_beside images "$bin/python" tests/images
        images=$!
    fi
    tests 'adapters, API server and chart' "$bin/python" tests/contract tests/decoupled tests/chart tests/gitops \
        --ignore="$long"
    # It waits for most of its time.
    start_beside minutes-of-outage "$bin/python" "$long"
    outage=$!
    # Two worlds side by side, a file always in one: while one waits, the other computes.
    tests 'whole sandbox' "$bin/python" -n 2 --dist loadfile --durations=25 tests/everything
    await_beside 'minutes of outage' "$outage"
    await_beside 'model check' "$model"
    await_beside 'parts of the sandbox' "$parts"
    await_images "$images"
    await_beside 'unit tests of steps and serving' "$units"
    ;;
*)
    printf 'usage: sh scripts/test.sh [all|fast|lint]\n' >&2
    exit 2
    ;;
esac
printf '\n== all stages passed in %s s\n' $(($(date +%s) - began))
finish 0

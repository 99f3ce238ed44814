#!/bin/sh
# NPTK's tables on CIFAR-100, on a machine with GPUs: for each model an original is trained, compressed with NPTK's
# recommended values, searched at the FLOPs that NPTK-Search published, and compressed with what was found.
#
#   scripts/reproduce_nptk.sh --estimate                   # how long it takes here, by two trials of each
#   scripts/reproduce_nptk.sh                              # all three, the smallest first
#   scripts/reproduce_nptk.sh mobilenetv1 -- --set data.source=data/cifar100 --set search.workers=2
#
# Called from the repository. What stands behind -- goes to every command that reads a configuration. The same command
# resumes it where it was stopped: a trained model, settled trials and a finished compression are not made again.
set -eu

models=""
estimate=""
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        --estimate) estimate=yes ;;
        mobilenetv1 | vgg19 | resnet50) models="$models $1" ;;
        *) echo "reproduce_nptk.sh: expected mobilenetv1, vgg19, resnet50, --estimate or --, received $1" >&2; exit 2 ;;
    esac
    shift
done
runs=runs
for word in "$@"; do
    case $word in runs=*) runs=${word#runs=} ;; esac
done

for model in ${models:-mobilenetv1 vgg19 resnet50}; do
    config=configs/${model}_cifar100.yaml
    run=$runs/${model}_cifar100
    if [ -n "$estimate" ]; then
        tuckprune search "$config" --dry-run "$@"
        continue
    fi
    tuckprune train "$config" "$@"
    [ -e "$run/simple.keras" ] || tuckprune compress "$run/model.keras" --recommend --config "$config" "$@"
    tuckprune search "$config" "$@"
    tuckprune export "$run"
    [ -e "$run/search.keras" ] || tuckprune compress "$run/model.keras" --params "$run/parameters.json" --config "$config" "$@"
    tuckprune report "$run"
    echo "published by NetsPresso (top-1, FLOPs, parameters):"
    sed -n 's/^# *\(original\|Simple\|Search\) /  \1 /p' "$config"
done

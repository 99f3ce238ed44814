#!/bin/sh
# Search on a running Ray cluster, the driver on its head node: it goes on when this terminal is closed.
#
#   scripts/launch/submit.sh http://127.0.0.1:8265 configs/mine.yaml [--set search.trials=500 ...]
#
# Follow it with `ray job logs --follow`, end it with `ray job stop`: the same command resumes it. The folder from which
# this is called is sent along, so it must hold the configuration and the model, and the cluster must be able to read the
# images. Give the run a folder that outlives the job: --set runs=/data/runs. A cluster that asks for a token gets the one
# of RAY_AUTH_TOKEN, or of ~/.ray/auth_token, if RAY_AUTH_MODE=token is set.
set -eu

if [ $# -lt 2 ]; then
    echo "submit.sh: expected the address of the cluster's dashboard and a configuration, received $# arguments" >&2
    exit 2
fi
address=$1
shift
exec ray job submit --address "$address" --no-wait --working-dir . -- tuckprune search "$@" --address auto

#!/bin/bash
# Search on a SLURM cluster: a Ray node on each of the job's machines, the driver on the first one.
#
#   sbatch --nodes=4 --gpus-per-node=4 scripts/launch/slurm.sh configs/mine.yaml [--set search.trials=500 ...]
#
# SLURM sends SIGTERM before the time is over, which the driver takes to end resumably (exit code 130); with --requeue, or
# submitted again, the job goes on where it stopped. The run folder must be on a disk that outlives the job.
#SBATCH --job-name=tuckprune
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

set -euo pipefail

if [ $# -lt 1 ]; then
    echo "slurm.sh: expected a configuration, for instance: sbatch --nodes=4 scripts/launch/slurm.sh configs/mine.yaml" >&2
    exit 2
fi
: "${SLURM_JOB_ID:?expected to run in a SLURM job: submit this script with sbatch}"

port=${RAY_PORT:-$((20000 + SLURM_JOB_ID % 20000))}
cpus=${SLURM_CPUS_PER_TASK:-1}
gpus=${SLURM_GPUS_ON_NODE:-0}
nodes=${SLURM_JOB_NUM_NODES:-1}
resumable=130

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts[0]}
ip=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
address=$ip:$port

# Others on these machines must not be able to run code in this cluster; srun hands both variables to every node.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}
export RAY_AUTH_TOKEN

# By itself Ray has workers stand back for every other process of a node.
export RAY_worker_niceness=0
# Other jobs on these machines have Rays of their own; in the range that Ray takes by itself their workers would collide.
ports=(--min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0)

rays=()
start_ray() { # HOST ARGUMENT...: a Ray node that lives as long as the job
    local host=$1
    shift
    srun --nodes=1 --ntasks=1 --overlap --nodelist="$host" \
        ray start "$@" "${ports[@]}" --num-cpus="$cpus" --num-gpus="$gpus" --disable-usage-stats --block &
    rays+=($!)
}
trap 'kill "${rays[@]}" 2>/dev/null || true; wait' EXIT

start_ray "$head" --head --node-ip-address="$ip" --port="$port"
wait_for_nodes() { # COUNT: `ray status` has a line for each
    for _ in $(seq 120); do
        [ "$(ray status --address="$address" 2>/dev/null | grep -c ' node_')" -ge "$1" ] && return
        sleep 1
    done
    echo "slurm.sh: expected $1 nodes, of which some did not start in time; going on with the others" >&2
}
wait_for_nodes 1
for host in "${hosts[@]:1}"; do
    start_ray "$host" --address="$address"
done
wait_for_nodes "$nodes"
echo "slurm.sh: Ray at $address on $nodes nodes of $cpus CPUs and $gpus GPUs"

# The shell gets the signal, and passes it on to the driver.
tuckprune search "$@" --address "$address" &
driver=$!
trap 'kill -TERM "$driver"' TERM
code=0
wait "$driver" || code=$?
if kill -0 "$driver" 2>/dev/null; then # The signal ended the first wait.
    code=0
    wait "$driver" || code=$?
fi

if [ "$code" = "$resumable" ]; then
    echo "slurm.sh: the search is not finished; the same job goes on with it" >&2
    scontrol requeue "$SLURM_JOB_ID" || true
fi
exit "$code"

#!/bin/bash
# Search on a SLURM cluster: a Ray node on each of the job's machines, the driver on the first one.
#
#   sbatch --nodes=4 --gpus-per-node=4 scripts/slurm.sh configs/mine.yaml [--set search.trials=500 ...]
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
    echo "slurm.sh: expected a configuration, for instance: sbatch --nodes=4 scripts/slurm.sh configs/mine.yaml" >&2
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
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port

start_ray() { # HOST ARGUMENT...: a Ray node that lives as long as the job
    local host=$1
    shift
    srun --nodes=1 --ntasks=1 --overlap --nodelist="$host" \
        ray start "$@" --num-cpus="$cpus" --num-gpus="$gpus" --disable-usage-stats --block &
}

start_ray "$head" --head --port="$port"
for _ in $(seq 60); do
    ray status --address="$address" >/dev/null 2>&1 && break
    sleep 1
done
for host in "${hosts[@]:1}"; do
    start_ray "$host" --address="$address"
done
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

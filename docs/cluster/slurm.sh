#!/bin/bash
# One part of a run for each task of a Slurm job array; the size of the array is the number of parts:
#
#     cargo build --release -p xtask
#     sbatch --array=1-8 docs/cluster/slurm.sh --full
#
# What follows the script is passed on to `xtask reproduce`. Submit it from the repository; all tasks need to see its folder.
# Slurm sends SIGTERM before the time limit. Submitting the same command again goes on from the last whole epoch of each cell.
# To submit some of the tasks again, say how many there were, or they would pass for the whole:
#
#     SHARDS=8 sbatch --array=3,7 docs/cluster/slurm.sh --full
#
# Build again after an update: results name the commit of the repository, not that of the program.
#SBATCH --job-name=rftm
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=rftm-%A-%a.log
set -eu

count="${SHARDS:-$SLURM_ARRAY_TASK_COUNT}"
first="${SLURM_ARRAY_TASK_MIN:-1}" last="${SLURM_ARRAY_TASK_MAX:-$count}"
if [ -z "${SHARDS:-}" ] && [ "$first-$last" != "1-$count" ]; then
    echo "array $first to $last with $count tasks: some of how many parts?" \
        "Say SHARDS=N, or --array=1-N" >&2
    exit 2
fi
part="$SLURM_ARRAY_TASK_ID/$count"
# One folder for each part: a ledger has one writer.
out="runs/shards/$SLURM_ARRAY_TASK_ID-of-$count"

# Started in the background so that the shell is free to pass the signal on.
"${XTASK:-target/release/xtask}" reproduce "$@" --shard "$part" --out "$out" --offline \
    --data "${RFTM_DATA:-data}" --jobs "${SLURM_CPUS_PER_TASK:-1}" --threads 1 &
trap 'kill -TERM $!' TERM
code=0
wait $! || code=$?
# A wait that a signal cuts short says nothing about the program: wait until it has saved.
while kill -0 $! 2>/dev/null; do
    code=0
    wait $! || code=$?
done
exit "$code"

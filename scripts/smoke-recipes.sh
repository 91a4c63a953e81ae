#!/usr/bin/env bash
# Runs every recipe for a few steps, to see that recipe, data and program still fit together.
# Recipes read data/ beside them; here that is the folder that SWATH_DATA names.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${SWATH_DATA:-}" ]; then
    echo "recipes: skipped, SWATH_DATA names no folder with imagery" >&2
    exit 0
fi
swath=${CARGO_TARGET_DIR:-target}/debug/swath
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$SWATH_DATA" "$work/data"
cp recipes/*.toml "$work"

for recipe in "$work"/*.toml; do
    name=$(basename "$recipe" .toml)
    echo "recipe $name"
    small=()
    if grep -q '^\[model.encoder.plain\]' "$recipe"; then
        small=(-s model.encoder.plain.width=4)
    fi
    if grep -q '^\[model.decoder.polycnn\]' "$recipe"; then
        # The buildings are larger than the small chips of the others, and a decoder for them is trained first.
        small=(-s train.chip=96 -s train.generated_steps=2)
    fi
    "$swath" train "$recipe" --run "$work/runs/$name" --quiet \
        -s train.steps=2 -s train.batch=2 -s train.chip=64 "${small[@]}" -s predict.overlap=32 -s predict.chip=256
    test -s "$work/runs/$name/bundle.safetensors"
    test -s "$work/runs/$name/report.html"
done

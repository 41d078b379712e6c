#!/usr/bin/env bash
# Creates bench/peers/.venv with the libraries that the benchmark compares with.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet -r requirements.txt
.venv/bin/python -c 'import jax, torch; print("torch", torch.__version__, "jax", jax.__version__)'

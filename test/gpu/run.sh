#!/usr/bin/env bash
# Proves on a GPU what can only be proved there, see main.ts. Needs a Python with torch (ARCLAB_PYTHON, else python3).
#
#   bash test/gpu/run.sh pack             builds, and puts everything that a bare machine lacks into dist/gpu/
#   bash dist/gpu/run.sh                  there: conformance, parity, training, decoding on cuda:0 in bfloat16
#   bash dist/gpu/run.sh training         one part
#   bash test/gpu/run.sh --device cpu     tries the script itself, on a small model
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" = pack ]; then
  root=$(cd "$here/../.." && pwd)
  cd "$root"
  node scripts/build.mjs
  rm -rf dist/gpu && mkdir -p dist/gpu/node_modules/@koromix
  cp dist/gpu.cjs test/gpu/reference.py test/gpu/run.sh dist/gpu/
  cp -r node_modules/koffi dist/gpu/node_modules/
  cp -r node_modules/@koromix/koffi-linux-* dist/gpu/node_modules/@koromix/
  gzip -c "$(readlink -f "$(command -v node)")" > dist/gpu/node.gz
  du -sh dist/gpu
  exit
fi

if ! command -v node > /dev/null && [ -f "$here/node.gz" ]; then
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  gzip -dc "$here/node.gz" > "$unpacked/node"
  chmod +x "$unpacked/node"
  PATH=$unpacked:$PATH
fi
bundle=$here/gpu.cjs
[ -f "$bundle" ] || bundle=$here/../../dist/gpu.cjs
[ -f "$bundle" ] || { echo "no $bundle: run 'npm run build' first" >&2; exit 2; }
python=${ARCLAB_PYTHON:-python3}
: "${ARCLAB_LIBTORCH:=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')}"
export ARCLAB_LIBTORCH ARCLAB_PYTHON=$python
node "$bundle" "$@"

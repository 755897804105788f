#!/usr/bin/env bash
# Proves on a GPU what can only be proved there, see main.ts. Needs a Python with torch (ARCLAB_PYTHON, else python3).
#
#   bash test/gpu/run.sh pack             builds, and puts everything that a bare machine lacks into dist/gpu/
#   bash dist/gpu/run.sh --output FILE    there: every part on cuda:0 in bfloat16, in at most 8 minutes
#   bash dist/gpu/run.sh training         one part, in at most 3 minutes
#   bash test/gpu/run.sh --device cpu     tries the script itself, on a small model
#
# What is printed is appended to FILE as it comes: a machine that goes away leaves what was known until then.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
most=60 # MB of 10^6 bytes

if [ "${1:-}" = pack ]; then
  root=$(cd "$here/../.." && pwd)
  cd "$root"
  node scripts/build.mjs
  rm -rf dist/gpu && mkdir -p dist/gpu/node_modules/@koromix dist/gpu/lib
  cp dist/gpu.cjs test/gpu/reference.py test/gpu/run.sh dist/gpu/
  cp -rL node_modules/koffi dist/gpu/node_modules/
  cp -rL node_modules/@koromix/koffi-linux-x64 dist/gpu/node_modules/@koromix/
  gzip -c "$(readlink -f "$(command -v node)")" > dist/gpu/node.gz
  if [ -f node_modules/webgpu/dist/linux-x64/dawn.node ]; then
    mkdir -p dist/gpu/node_modules/webgpu/dist/linux-x64
    cp node_modules/webgpu/package.json node_modules/webgpu/*.js dist/gpu/node_modules/webgpu/
    gzip -c node_modules/webgpu/dist/linux-x64/dawn.node > dist/gpu/node_modules/webgpu/dist/linux-x64/dawn.node.gz
  else
    echo 'pack: without Dawn: the package webgpu is not installed'
  fi
  deb=$(mktemp -d)
  if (cd "$deb" && apt-get -qq download libvulkan1 && dpkg -x ./*.deb files) 2> /dev/null; then
    cp -P "$deb"/files/usr/lib/x86_64-linux-gnu/libvulkan.so* dist/gpu/lib/
  else
    echo 'pack: without libvulkan: apt-get cannot download libvulkan1'
  fi
  rm -r "$deb"
  size=$(($(du -sb dist/gpu | cut -f1) / 1000000))
  echo "dist/gpu: $size MB, of at most $most"
  [ "$size" -le "$most" ] || { echo "pack: $size MB are more than the $most that are carried" >&2; exit 1; }
  exit
fi

if ! command -v node > /dev/null && [ -f "$here/node.gz" ]; then
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  gzip -dc "$here/node.gz" > "$unpacked/node"
  chmod +x "$unpacked/node"
  PATH=$unpacked:$PATH
fi
dawn=$here/node_modules/webgpu/dist/linux-x64/dawn.node
[ ! -f "$dawn.gz" ] || [ -f "$dawn" ] || gzip -dc "$dawn.gz" > "$dawn"
[ ! -d "$here/lib" ] || export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
bundle=$here/gpu.cjs
[ -f "$bundle" ] || bundle=$here/../../dist/gpu.cjs
[ -f "$bundle" ] || { echo "no $bundle: run 'npm run build' first" >&2; exit 2; }
python=${ARCLAB_PYTHON:-python3}
: "${ARCLAB_LIBTORCH:=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')}"
export ARCLAB_LIBTORCH ARCLAB_PYTHON=$python
node "$bundle" "$@"

#!/usr/bin/env bash
# Installs two Vulkan drivers that compute on the processor, for the tests of the GPU engine: lavapipe, of Debian's backports (Dawn refuses the older
# one), and SwiftShader, out of the package chromium-common. Whatever cannot be had is left out with a line that says so: its tests are skipped.
# Ends with 0 in any case. Debian 12 and newer, x86-64 and arm64.
set -uo pipefail

icds=/usr/share/vulkan/icd.d
swiftshader="${XDG_CACHE_HOME:-$HOME/.cache}/dllm-drivers/swiftshader"
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive

install() { timeout 120 "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# shellcheck disable=SC1091
codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
if [ ! -e "$icds/lvp_icd.json" ] && [ "$codename" = bookworm ] && ! apt-get indextargets | grep -q bookworm-backports; then
  # From wherever this machine has the rest of Debian.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Release: bookworm' | head -n 1)
  echo "deb $mirror bookworm-backports main" |
    "${as_root[@]}" tee /etc/apt/sources.list.d/dllm-backports.list >/dev/null
  timeout 60 "${as_root[@]}" apt-get update -qq || echo 'software-gpus: the list of backports cannot be read'
fi

if [ ! -e "$icds/lvp_icd.json" ]; then
  release=()
  [ "$codename" = bookworm ] && release=(-t bookworm-backports)
  install libvulkan1 && install "${release[@]}" mesa-vulkan-drivers ||
    echo 'software-gpus: lavapipe cannot be installed; tests on it are skipped'
fi

if [ ! -e "$swiftshader/vk_swiftshader_icd.json" ]; then
  work=$(mktemp -d)
  if (cd "$work" && timeout 120 apt-get download -qq chromium-common 2>/dev/null && dpkg -x chromium-common_*.deb .); then
    mkdir -p "$swiftshader"
    # The description goes last: it is what says that the driver is there.
    cp "$work/usr/lib/chromium/libvk_swiftshader.so" "$swiftshader/" &&
      cp "$work/usr/lib/chromium/vk_swiftshader_icd.json" "$swiftshader/"
  fi
  rm -rf "$work"
  [ -e "$swiftshader/vk_swiftshader_icd.json" ] ||
    echo 'software-gpus: SwiftShader cannot be fetched; tests on it are skipped'
fi
exit 0

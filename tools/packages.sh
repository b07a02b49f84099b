# The one list of distribution packages (Debian 12, Ubuntu 24.04) and the one way to install them. To be sourced:
#   install_packages build [test] [full] [format] [tidy] [arm]      installs what is missing; prints nothing when nothing is

packages_build="g++ cmake ninja-build python3 libhwy-dev nlohmann-json3-dev libcli11-dev libarchive-dev liblzma-dev libsqlite3-dev zlib1g-dev libpcre2-dev libicu-dev libjs-chart.js libgtest-dev"
packages_test="chromium chromium-driver python3-selenium locales"   # the page of a report in a browser; locales with a comma
packages_format="clang-format-14"   # another version formats differently
packages_tidy="clang-tidy-14"   # another version finds something else
packages_full="clang libclang-rt-dev valgrind"   # libFuzzer; counting instructions
packages_arm="g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 libgtest-dev:arm64"   # to compile for ARM on another machine, and to run that

install_packages() {
  local set list package installed want native missing=() as_root=()
  native=$(dpkg --print-architecture 2>/dev/null)
  for set in "$@"; do
    list="packages_$set"
    for package in ${!list}; do
      installed=" $(dpkg-query -W -f='${Architecture}:${db:Status-Status} ' "$package" 2>/dev/null || true)"   # unknown packages are none: callers may have set -e
      [[ $package == *:* ]] && want=${package#*:} || want=$native   # of a package for two machines, each has a status
      [[ "$installed" == *" $want:installed "* || "$installed" == *" all:installed "* ]] || missing+=("$package")
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "error: no apt-get here; install by hand what these Debian packages hold: ${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: not root and no sudo; run as root: apt-get install ${missing[*]}" >&2; return 1; }
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  if [[ "${missing[*]}" == *:arm64* ]]; then "${as_root[@]}" dpkg --add-architecture arm64 || return 1; fi
  local log; log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -qq &&
         "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "error: apt-get failed (log: $log); fix it, then run this again" >&2
    return 1
  fi
  rm -f "$log"
}

# To be sourced: builds the release of the command line. Calls beside each other build one after the other.
build_release() {
  mkdir -p build
  (
    flock 9
    cmake --preset release >/dev/null
    cmake --build build/release --target statera_app >&2
  ) 9>build/.release.lock
}

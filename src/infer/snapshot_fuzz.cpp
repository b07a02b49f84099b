// Any bytes as a snapshot: an Error of one line, or a state from which a session goes on.
#include "infer/snapshot_fuzz.hpp"

#include <cstdio>
#include <cstdlib>

#include "io/folder_fuzz.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  static const Model model = snapshot_fuzz_model();
  static const std::string path = fuzz_folder() + "/x.snapshot";
  const std::string bytes = with_fingerprint(std::string(reinterpret_cast<const char*>(data), size), model);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fclose(file) != 0) std::abort();
  try {
    const Snapshot snapshot = Snapshot::load(path, model);
    Session session(model, {.rewind_bytes = 0});
    session.restore(snapshot);
    const std::string text(100, 'x');  // more than what is left of any key block
    session.prefill(text);
    session.step('y');
    if (session.position() != snapshot.position() + 101) std::abort();
    session.snapshot().save(path);
    Snapshot::load(path, model);
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}

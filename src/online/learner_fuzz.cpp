// Any bytes as what a model learned: an Error of one line, or a model that goes on.
#include "online/learner_fuzz.hpp"

#include <cstdio>
#include <cstdlib>

#include "io/folder_fuzz.hpp"
#include "statera/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  static const std::string folder = fuzz_folder();
  static const std::string plain = folder + "/plain", path = folder + "/x.learner";
  const std::string bytes =
      with_fingerprint(std::string(reinterpret_cast<const char*>(data), size), learner_fuzz_model());
  std::FILE* file = std::fopen(plain.c_str(), "wb");
  if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fclose(file) != 0) std::abort();
  try {
    with_checksum(plain, path);
    OnlineModel learner = OnlineModel::restore(path, learner_fuzz_model());
    const std::vector<int32_t> ids(20, 'x');  // more than a segment
    learner.score(ids);
    learner.next_document();
    learner.score(ids);
    learner.save(path);
    OnlineModel::restore(path, learner_fuzz_model());
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}

// Shared by the fuzzer of what models learned while they read and the test of its seed inputs.
#pragma once
#include <string>
#include <vector>

#include "infer/snapshot_fuzz.hpp"
#include "io/safetensors.hpp"
#include "statera/online.hpp"

namespace statera {

// Copies a safetensors file without a checksum and adds one, so that a fuzzer's changes get past that check.
inline void with_checksum(const std::string& from, const std::string& to) {
  const SafetensorsFile file = SafetensorsFile::open(from);
  std::vector<Tensor> kept;
  std::vector<NamedView> views;
  for (const FileTensor& tensor : file.tensors()) views.push_back({tensor.name, kept.emplace_back(file.read(tensor))});
  OutputPlace place(to);
  place.may_replace = "statera learner";
  write_with_checksum(place, views, file.metadata());
}

inline const OnlineOptions learner_fuzz_options{
    .lr = 0.01, .segment = 8, .window = 16, .replay = 1, .warmup = 1, .keep_bytes = 4096};

// As for snapshots, with gradients.
inline Model learner_fuzz_model() {
  Model model(snapshot_fuzz_model().config(), Device::cpu({.threads = 1}));
  model.init(1);
  return model;
}

}  // namespace statera

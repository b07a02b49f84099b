// A training of a few steps, for tests of what runs write.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "statera/train.hpp"
#include "support/any_mixer.hpp"
#include "support/error_of.hpp"

namespace statera::test {

// Windows of a made-up text; a lane's go on where its last one ended.
class Windows {
 public:
  Windows(int64_t batch, int64_t length, bool lanes) : batch_(batch), length_(length), lanes_(lanes) {}
  Batch operator()(int64_t number) {
    tokens_.ids.clear();
    tokens_.start.clear();
    targets_.clear();
    tokens_.offsets.assign(1, 0);
    for (int64_t b = 0; b < batch_; ++b) {
      const int64_t first = lanes_ ? 1000 * b + number * length_ : (number * batch_ + b) * 31;
      for (int64_t t = 0; t < length_; ++t) {
        tokens_.ids.push_back(byte(first + t));
        targets_.push_back(byte(first + t + 1));
      }
      tokens_.offsets.push_back(static_cast<int32_t>(tokens_.ids.size()));
      tokens_.start.push_back(lanes_ ? number * length_ : 0);
    }
    return {tokens_, targets_};
  }

 private:
  static int32_t byte(int64_t i) { return static_cast<int32_t>(97 + (i * i / 7 + i % 5) % 26); }
  int64_t batch_, length_;
  bool lanes_;
  Tokens tokens_;
  std::vector<int32_t> targets_;
};

inline TrainingData data_for(const TrainOptions& o, uint64_t fingerprint = 1) {
  return {.batch = [w = std::make_shared<Windows>(o.batch, o.length, o.carry)](int64_t i) { return (*w)(i); },
          .held_out = [w = std::make_shared<Windows>(o.batch, o.length, false)](int64_t i) { return (*w)(1000 + i); },
          .held_out_batches = 2,
          .fingerprint = fingerprint};
}

inline Model small_model(const std::string& layers = "m A", int threads = 1) {
  Model model(hybrid(layers), Device::cpu({.threads = threads}));
  model.init(3);
  return model;
}

struct Folder {
  std::string path;
  Folder() : path((std::filesystem::temp_directory_path() / ("statera_train_XXXXXX")).string()) {
    path = mkdtemp(path.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline TrainOptions short_run() {
  TrainOptions options;
  options.steps = 8;
  options.batch = 2;
  options.length = 24;
  options.evaluate_every = 3;
  return options;
}

inline std::string weights_after(const TrainOptions& options, const std::string& out, int threads = 1) {
  Model model = small_model("m A", threads);
  train(model, data_for(options), options, {.out = out, .overwrite = true});
  return bytes_of(out + "/last/model.safetensors") + bytes_of(out + "/model.safetensors");
}

}  // namespace statera::test

// metrics.jsonl: an object a line, for every step and every measurement.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include "io/output_folder.hpp"
#include "statera/train.hpp"

namespace statera {

class MetricsLog {
 public:
  // Keeps the first `keep` bytes of the file, or all if there are fewer, and appends. Throws io.
  MetricsLog(OutputFolder& folder, int64_t keep);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const TrainProgress&);  // allocates nothing
  int64_t flush();                 // returns the length of the file; throws io

 private:
  std::string path_, line_;
  std::FILE* file_;
  int error_ = 0;  // the first that add() met
};

}  // namespace statera

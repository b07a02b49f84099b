#include "models/count_blocks.hpp"

#include <map>

#include "core/check.hpp"
#include "io/json.hpp"
#include "models/layer_config.hpp"

namespace statera {

namespace {
constexpr int64_t most_blocks = 4096;
constexpr int most_depth = 8;

class Counter {
 public:
  explicit Counter(const std::string& where) : where_(where) {}

  int64_t blocks_of(const ModelConfig& config, int depth) {
    require(depth <= most_depth, ErrorCode::config, "stacks stand within stacks more than ", most_depth, " deep (",
            where_, ")");
    int64_t count = 0;
    for (const BlockConfig& block : layers_of(config)) {
      ++count;
      for (const SublayerConfig& sublayer : block) count += blocks_within(sublayer.mixer, depth);
      require(count <= most_blocks, ErrorCode::config, "more than ", most_blocks,
              " layers in all stacks of the model together (", where_, ")");
    }
    return count;
  }

 private:
  // Each mixer is looked at once, however many layers name it. At most most_blocks, or it throws.
  int64_t blocks_within(const std::string& mixer, int depth) {
    if (mixer.find("\"stack\"") == std::string::npos) return 0;
    if (const auto known = seen_.find(mixer); known != seen_.end()) return known->second;
    const auto json = parse_json(mixer, where_);
    if (!json.contains("stack") || !json["stack"].is_object()) return 0;  // its constructor says what it expects
    auto stack = json["stack"];
    if (!stack.contains("d_model")) stack["d_model"] = 1;  // that of what surrounds it
    return seen_[mixer] = blocks_of(ModelConfig::parse(stack.dump(), where_ + ": stack"), depth + 1);
  }

  const std::string& where_;
  std::map<std::string, int64_t> seen_;
};
}  // namespace

void check_block_count(const ModelConfig& config) { Counter(config.where).blocks_of(config, 0); }

}  // namespace statera
